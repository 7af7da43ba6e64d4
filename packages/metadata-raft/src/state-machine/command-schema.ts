import { SHARDS_PER_BLOB_MAX } from '@azimuth/placement';
import type { Command, IndexCommandName, RootCommandName } from '@azimuth/proto';
import { COMMAND_VERSION, isBlobId } from '@azimuth/proto';
import { StoreError } from '@azimuth/common';
import { z } from 'zod';

import { identityChange } from './identity-schema';
import {
  isCount,
  isHexId,
  isObjectKey,
  isPlainCommit,
  isStringRecord,
  isTagRecord,
} from './plain-commit';

/**
 * The shape of every command, checked before it is logged: what is logged is applied by every
 * replica, today and at every replay, and must never be able to stop one.
 */
const TEXT_LENGTH_MAX = 8_192;
const PART_NUMBER_MAX = 10_000;
/** A hundred grants with all their names. */
const ACL_LENGTH_MAX = 32_768;
/** S3 itself allows 20 KiB for the largest kind of document, and a thousand rules for another. */
const DOCUMENT_LENGTH_MAX = 256 * 1024;
const IDENTITY_CHANGES_MAX = 1_000;

const hexId = z.string().regex(/^[0-9a-f]{32}$/);
const name = z.string().min(1).max(256);
const text = z.string().max(TEXT_LENGTH_MAX);
const count = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
// Plain functions where every commit passes: half the time of a commit's check went into these.
const key = z.custom<string>(isObjectKey);
const uploadId = z.string().regex(/^[\x21-\x7e]{1,128}$/);
const blobId = z.string().refine(isBlobId);
const bytes = z.instanceof(Uint8Array);
const strings = z.custom<Readonly<Record<string, string>>>(isStringRecord);
const tags = z.custom<Readonly<Record<string, string>>>(isTagRecord);
const acl = z.string().max(ACL_LENGTH_MAX).nullable();
const document = z.string().max(DOCUMENT_LENGTH_MAX);

const versioning = z.enum(['unversioned', 'enabled', 'suspended']);
const checksumAlgorithm = z.enum([
  'CRC32',
  'CRC32C',
  'CRC64NVME',
  'SHA1',
  'SHA256',
  'SHA512',
  'MD5',
  'XXHASH64',
  'XXHASH3',
  'XXHASH128',
]);
const checksumType = z.enum(['FULL_OBJECT', 'COMPOSITE']);
const checksum = z.object({ algorithm: checksumAlgorithm, type: checksumType, value: text });
const profile = z
  .object({ k: z.number().int().min(1), m: z.number().int().min(0) })
  .refine(({ k, m }) => k + m <= SHARDS_PER_BLOB_MAX);
const shardIndexes = z
  .array(
    z
      .number()
      .int()
      .min(0)
      .max(SHARDS_PER_BLOB_MAX - 1),
  )
  .max(SHARDS_PER_BLOB_MAX);

const blob = z.object({
  blobId,
  pgId: count,
  sizeBytes: count,
  profile,
  blockBytes: count,
  isReduced: z.boolean(),
});
const missing = z.object({ blobId, shardIndexes });
const data = z.object({
  inline: bytes.nullable(),
  blobs: z.array(blob).max(PART_NUMBER_MAX),
  missing: z.array(missing).max(PART_NUMBER_MAX),
  mapVersion: count.optional(),
});
const draft = z.object({
  key,
  sizeBytes: count,
  etag: text,
  storageClass: name,
  owner: text,
  headers: strings,
  userMetadata: strings,
  checksum: checksum.nullable(),
  tags,
  acl,
});
const etags = z.array(text).max(1_000).nullable();
const precondition = z.object({ ifMatch: etags, ifNoneMatch: etags }).nullable();
const address = { bucketId: hexId, key };

const diskState = z.enum(['online', 'full', 'fenced', 'lost']);
const disk = z.object({ diskId: name, capacityBytes: count, state: diskState });
const node = z.object({
  nodeId: name,
  zone: name,
  host: name,
  bulkPort: count,
  rpcPort: count,
  adminPort: count,
  incarnation: name,
});
const settings = z.object({
  clusterId: name,
  region: name,
  zones: z.array(name).max(64),
  erasureProfile: profile,
  replicaProfile: profile,
  inlineBytesMax: count,
  replicaBytesMax: count,
  blockBytes: count,
  indexGroups: count,
  survive: z.enum(['zone', 'zone+1']).optional(),
});
const group = z.object({
  profile,
  slots: z.array(name).max(SHARDS_PER_BLOB_MAX),
  isReduced: z.boolean(),
  zone: name.optional(),
});
const METADATA_NODES_MAX = 32;
const metadataAddress = {
  ...{ nodeId: name, zone: name, host: name },
  port: z.number().int().min(1).max(65_535),
};
const metadataNode = z.object({
  ...metadataAddress,
  incarnation: name.nullable(),
  state: z.enum(['voter', 'joining', 'leaving']),
  mayLead: z.boolean(),
});
const intentScope = z.enum(['disk', 'node', 'zone']);
const intentKind = z.enum(['drain', 'replace', 'retire', 'maintenance']);
/** Far more than anyone changes at a time; each is in every answer to a first watch. */
const INTENTS_MAX = 1_000;
const slotMove = z.object({ pgId: count, slot: count, targetDiskId: name });

const ROOT_ARGS: Readonly<Record<RootCommandName, z.ZodType>> = {
  InitializeCluster: z.object({ settings }),
  CreateBucket: z.object({
    name,
    bucketId: hexId,
    owner: text,
    versioning,
    configurations: z.record(name, document),
  }),
  SetBucketConfiguration: z.object({
    name,
    bucketId: hexId,
    configuration: name,
    document: document.nullable(),
  }),
  CommitIdentities: z.object({
    expectedRevision: count,
    changes: z.array(identityChange).max(IDENTITY_CHANGES_MAX),
  }),
  SetBucketVersioning: z.object({ name, bucketId: hexId.optional(), versioning }),
  MarkBucketDeleting: z.discriminatedUnion('isDeleting', [
    z.object({ name, bucketId: hexId, isDeleting: z.literal(true) }),
    z.object({ name, bucketId: hexId, isDeleting: z.literal(false), mark: count }),
  ]),
  RemoveBucket: z.object({ name, bucketId: hexId, mark: count }),
  RegisterNode: z.object({ node, disks: z.array(disk).max(1_000) }),
  SetNodeState: z.object({ nodeId: name, incarnation: name, state: z.enum(['up', 'down']) }),
  SetDiskState: z.object({ diskId: name, state: diskState }),
  OpenGroups: z.object({ groups: z.array(group).max(1_000) }),
  SealGroup: z.object({ pgId: count, isSealed: z.boolean() }),
  BeginBackfill: slotMove,
  FinishBackfill: slotMove,
  RemoveGroup: z.object({ pgId: count }),
  SetIntent: z.object({
    scope: intentScope,
    name,
    kind: intentKind.nullable(),
    others: z.array(z.string().max(300)).max(INTENTS_MAX),
  }),
  ConfirmDrained: z.object({ diskId: name }),
  RemoveDisk: z.object({ diskId: name }),
  RemoveNode: z.object({ nodeId: name }),
  AddZone: z.object({ zone: name }),
  RemoveZone: z.object({ zone: name }),
  ChangeMetadataNodes: z.object({
    expected: z.array(metadataNode).max(METADATA_NODES_MAX),
    put: z.array(metadataNode).max(METADATA_NODES_MAX),
    remove: z.array(name).max(METADATA_NODES_MAX),
  }),
  RegisterMetadataNode: z.object({
    ...metadataAddress,
    incarnation: name,
    isRejoining: z.boolean(),
  }),
  AcquireLease: z.object({ name, holder: name, ttlMs: z.number().int().min(1).max(3_600_000) }),
  ReportRepair: z.object({
    report: z.object({
      holder: name,
      ...{ shardsToDo: count, bytesToDo: count, bytesPerSecond: count, groupsUnproven: count },
      blobsAtRisk: z.array(count).max(32),
      census: z
        .object({
          ...{ startedMs: count, finishedMs: count.nullable() },
          ...{ groupsTotal: count, groupsDone: count, blobs: count, shards: count },
          shardsMissing: count,
        })
        .nullable(),
    }),
  }),
  RequestCensus: z.object({}),
};

const INDEX_ARGS: Readonly<Record<IndexCommandName, z.ZodType>> = {
  CommitVersion: z.object({ ...address, versioning, draft, data, precondition }),
  DeleteVersion: z.object({
    ...address,
    versioning,
    versionId: text.nullable(),
    owner: text,
    precondition,
  }),
  UpdateVersion: z.object({
    ...address,
    versionId: text.nullable(),
    sequence: count.optional(),
    tags: tags.optional(),
    acl: acl.optional(),
  }),
  CreateUpload: z.object({
    upload: z.object({
      ...address,
      uploadId,
      owner: text,
      initiator: text.optional(),
      storageClass: name,
      headers: strings,
      userMetadata: strings,
      checksumAlgorithm: checksumAlgorithm.nullable(),
      checksumType: checksumType.nullable(),
      tags,
      acl,
    }),
  }),
  CommitPart: z.object({
    ...address,
    uploadId,
    part: z.object({
      partNumber: z.number().int().min(1).max(PART_NUMBER_MAX),
      etag: text,
      sizeBytes: count,
      checksum: checksum.nullable(),
    }),
    data,
  }),
  CompleteUpload: z.object({
    ...address,
    uploadId,
    versioning,
    draft,
    parts: z.array(z.object({ partNumber: z.number().int(), etag: text })).max(PART_NUMBER_MAX),
    precondition,
  }),
  AbortUpload: z.object({ ...address, uploadId }),
  FenceBucket: z.object({ bucketId: hexId, isFenced: z.boolean(), mark: count }),
  FenceGroup: z.object({ pgId: count, mapVersion: count }),
  AcknowledgeOutbox: z.object({ ids: z.array(name).max(10_000) }),
  ReportMissingShards: z.object({ missing: z.array(missing).max(10_000) }),
  ReplaceBlob: z.object({
    oldBlobId: blobId,
    blob,
    missing: z.array(missing).max(32),
    mapVersion: count.optional(),
  }),
};

const envelope = z.object({
  version: z.literal(COMMAND_VERSION),
  name: z.string(),
  commandId: hexId,
  issuedMs: count,
});

/**
 * @throws StoreError INVALID_ARGUMENT naming the fields that were refused
 */
export function checkCommand(kind: 'root' | 'index', command: unknown): void {
  if (!isEnvelope(command)) checkShape(envelope, command);
  const { name: commandName, args } = command as { name: string; args?: unknown };
  if (kind === 'index' && commandName === 'CommitVersion' && isPlainCommit(args)) return;
  const schemas: Readonly<Record<string, z.ZodType>> = kind === 'root' ? ROOT_ARGS : INDEX_ARGS;
  const schema = Object.hasOwn(schemas, commandName) ? schemas[commandName] : undefined;
  if (schema === undefined) throw new StoreError('INVALID_ARGUMENT', { command: commandName });
  checkShape(schema, args);
}

/** The envelope by hand; one that is refused here goes through the schema, which says why. */
function isEnvelope(command: unknown): boolean {
  if (typeof command !== 'object' || command === null) return false;
  const fields = command as Readonly<Partial<Record<keyof Command, unknown>>>;
  return (
    fields.version === COMMAND_VERSION &&
    typeof fields.name === 'string' &&
    isHexId(fields.commandId) &&
    isCount(fields.issuedMs)
  );
}

function checkShape<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const fields = result.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.code}`);
  throw new StoreError('INVALID_ARGUMENT', { fields: fields.slice(0, 10).join('; ') });
}
