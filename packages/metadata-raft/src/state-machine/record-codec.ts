import { decodeRecord, encodeRecord, listEntryOf } from '@azimuth/proto';
import type {
  BlobOwner,
  BlobRef,
  ListEntry,
  ListFields,
  PartRecord,
  StoredChecksum,
  UploadRecord,
  VersionBody,
  VersionHead,
} from '@azimuth/proto';

/**
 * Values of the index records: MessagePack arrays, because field names would be half of them. A
 * head is two arrays, what lists need before what they do not: [length of the first,
 * u16][first][second].
 */

/** MessagePack of what follows the inline bytes of most bodies. */
const NO_BLOBS_NO_PARTS = Buffer.from([0x90, 0xc0]);
const TRUE = 0xc3;

/** A head with its links to the other versions of its key, by sequence; 0 is none. */
export interface StoredVersion {
  readonly head: VersionHead;
  readonly olderSequence: number;
  /** The next newer version; 0 for the current one. */
  readonly newerSequence: number;
  /** Of the current version only: where the version `null` is, itself included. */
  readonly nullSequence: number;
}

/** A head that was written before there were tags and ACLs ends before them. */
type OtherFields = [
  versionId: string,
  sequence: number,
  older: number,
  newer: number,
  nullSequence: number,
  headers: Readonly<Record<string, string>>,
  userMetadata: Readonly<Record<string, string>>,
  checksumValue: string | null,
  partsCount: number,
  tags?: Readonly<Record<string, string>>,
  acl?: string | null,
];

export function encodeVersion(version: StoredVersion): Buffer {
  const { head } = version;
  const first: ListFields = [
    head.isDeleteMarker,
    head.sizeBytes,
    head.etag,
    head.lastModifiedMs,
    head.storageClass,
    head.owner,
    head.checksum?.algorithm ?? null,
    head.checksum?.type ?? null,
  ];
  const second: OtherFields = [
    head.versionId,
    head.sequence,
    version.olderSequence,
    version.newerSequence,
    version.nullSequence,
    head.headers,
    head.userMetadata,
    head.checksum?.value ?? null,
    head.partsCount,
    head.tags,
    head.acl,
  ];
  return joinTwo(encodeRecord(first), encodeRecord(second));
}

export function decodeVersion(key: string, content: Buffer): StoredVersion {
  const [firstBytes, secondBytes] = splitTwo(content);
  const first = decodeRecord(firstBytes) as ListFields;
  const second = decodeRecord(secondBytes) as OtherFields;
  const checksum: StoredChecksum | null =
    first[6] === null || first[7] === null || second[7] === null
      ? null
      : { algorithm: first[6], type: first[7], value: second[7] };
  const head: VersionHead = {
    key,
    versionId: second[0],
    sequence: second[1],
    isDeleteMarker: first[0],
    sizeBytes: first[1],
    etag: first[2],
    lastModifiedMs: first[3],
    storageClass: first[4],
    owner: first[5],
    headers: second[5],
    userMetadata: second[6],
    checksum,
    partsCount: second[8],
    tags: second[9] ?? {},
    acl: second[10] ?? null,
  };
  return {
    head,
    olderSequence: second[2],
    newerSequence: second[3],
    nullSequence: second[4],
  };
}

/** What a list shows of a version. */
export function decodeListEntry(key: string, content: Buffer): ListEntry {
  return listEntryOf(key, decodeRecord(listFieldsOf(content)) as ListFields);
}

/** The encoded {@link ListFields} of a version. */
export function listFieldsOf(content: Buffer): Buffer {
  return content.subarray(2, 2 + content.readUInt16BE(0));
}

/** Of an encoded version: the first of its fields, behind the head of their array. */
export function isDeleteMarker(content: Buffer): boolean {
  return content[3] === TRUE;
}

type BlobFields = [
  blobId: string,
  pgId: number,
  sizeBytes: number,
  k: number,
  m: number,
  blockBytes: number,
  isReduced: boolean,
];

function blobFields(blob: BlobRef): BlobFields {
  const { blobId, pgId, sizeBytes, profile, blockBytes, isReduced } = blob;
  return [blobId, pgId, sizeBytes, profile.k, profile.m, blockBytes, isReduced];
}

function blobOfFields(fields: BlobFields): BlobRef {
  const [blobId, pgId, sizeBytes, k, m, blockBytes, isReduced] = fields;
  return { blobId, pgId, sizeBytes, profile: { k, m }, blockBytes, isReduced };
}

/** `[inline, blobs, parts]`. Inline bytes are a piece of their own, which nothing copies here. */
export function encodeBody(body: VersionBody): readonly Uint8Array[] {
  const { inline, blobs, parts } = body;
  if (inline === null) return [encodeRecord([null, blobs.map(blobFields), parts])];
  const isPlain = blobs.length === 0 && parts === null;
  const rest = isPlain
    ? [NO_BLOBS_NO_PARTS]
    : [encodeRecord(blobs.map(blobFields)), encodeRecord(parts)];
  return [headOfInline(inline.length), inline, ...rest];
}

/** An array of three, of which the first are so many bytes, as `encodeRecord` begins it. */
function headOfInline(lengthBytes: number): Buffer {
  if (lengthBytes < 0x100) return Buffer.from([0x93, 0xc4, lengthBytes]);
  if (lengthBytes < 0x10000) {
    return Buffer.from([0x93, 0xc5, lengthBytes >>> 8, lengthBytes & 0xff]);
  }
  const head = Buffer.from([0x93, 0xc6, 0, 0, 0, 0]);
  head.writeUInt32BE(lengthBytes, 2);
  return head;
}

export function decodeBody(content: Buffer): VersionBody {
  const [inline, blobs, parts] = decodeRecord(content) as [
    Uint8Array | null,
    BlobFields[],
    VersionBody['parts'],
  ];
  return { inline, blobs: blobs.map(blobOfFields), parts };
}

/** A blob in use, and by what. */
export interface BlobReference {
  readonly blob: BlobRef;
  readonly owner: BlobOwner;
}

export function encodeBlobReference({ blob, owner }: BlobReference): Buffer {
  const { bucketId, key, sequence, uploadId, partNumber } = owner;
  return encodeRecord([blobFields(blob), bucketId, key, sequence, uploadId, partNumber]);
}

export function decodeBlobReference(content: Buffer): BlobReference {
  const [blob, bucketId, key, sequence, uploadId, partNumber] = decodeRecord(content) as [
    BlobFields,
    string,
    string,
    number | null,
    string | null,
    number | null,
  ];
  return { blob: blobOfFields(blob), owner: { bucketId, key, sequence, uploadId, partNumber } };
}

/** What an outbox holds under its id. */
export interface OutboxRecord {
  readonly blob: BlobRef;
  readonly shardIndexes: readonly number[];
  readonly createdMs: number;
}

export function encodeOutboxRecord(record: OutboxRecord): Buffer {
  return encodeRecord([blobFields(record.blob), record.shardIndexes, record.createdMs]);
}

export function decodeOutboxRecord(content: Buffer): OutboxRecord {
  const [blob, shardIndexes, createdMs] = decodeRecord(content) as [BlobFields, number[], number];
  return { blob: blobOfFields(blob), shardIndexes, createdMs };
}

type UploadFields = [
  initiatedMs: number,
  owner: string,
  storageClass: string,
  headers: Readonly<Record<string, string>>,
  userMetadata: Readonly<Record<string, string>>,
  checksumAlgorithm: UploadRecord['checksumAlgorithm'],
  checksumType: UploadRecord['checksumType'],
  tags?: Readonly<Record<string, string>>,
  acl?: string | null,
  initiator?: string | null,
];

export function encodeUpload(upload: UploadRecord): Buffer {
  const fields: UploadFields = [
    upload.initiatedMs,
    upload.owner,
    upload.storageClass,
    upload.headers,
    upload.userMetadata,
    upload.checksumAlgorithm,
    upload.checksumType,
    upload.tags,
    upload.acl,
    upload.initiator ?? null,
  ];
  return encodeRecord(fields);
}

export function decodeUpload(
  identity: { readonly bucketId: string; readonly key: string; readonly uploadId: string },
  content: Buffer,
): UploadRecord {
  const fields = decodeRecord(content) as UploadFields;
  return {
    bucketId: identity.bucketId,
    key: identity.key,
    uploadId: identity.uploadId,
    initiatedMs: fields[0],
    owner: fields[1],
    storageClass: fields[2],
    headers: fields[3],
    userMetadata: fields[4],
    checksumAlgorithm: fields[5],
    checksumType: fields[6],
    tags: fields[7] ?? {},
    acl: fields[8] ?? null,
    ...(fields[9] == null ? {} : { initiator: fields[9] }),
  };
}

/** As with heads: what ListParts shows, then where the bytes are. */
export function encodePart(part: PartRecord): Buffer {
  const { partNumber, etag, sizeBytes, lastModifiedMs, checksum } = part;
  const first = [partNumber, etag, sizeBytes, lastModifiedMs, checksum];
  const second = [part.inline, part.blobs.map(blobFields)];
  return joinTwo(encodeRecord(first), encodeRecord(second));
}

export type PartSummary = Omit<PartRecord, 'inline' | 'blobs'>;

export function decodePartSummary(content: Buffer): PartSummary {
  const [partNumber, etag, sizeBytes, lastModifiedMs, checksum] = decodeRecord(
    splitTwo(content)[0],
  ) as [number, string, number, number, StoredChecksum | null];
  return { partNumber, etag, sizeBytes, lastModifiedMs, checksum };
}

export function decodePart(content: Buffer): PartRecord {
  const [inline, blobs] = decodeRecord(splitTwo(content)[1]) as [Uint8Array | null, BlobFields[]];
  return { ...decodePartSummary(content), inline, blobs: blobs.map(blobOfFields) };
}

function joinTwo(first: Buffer, second: Buffer): Buffer {
  const joined = Buffer.allocUnsafe(2 + first.length + second.length);
  joined.writeUInt16BE(first.length, 0);
  first.copy(joined, 2);
  second.copy(joined, 2 + first.length);
  return joined;
}

function splitTwo(content: Buffer): [Buffer, Buffer] {
  const middle = 2 + content.readUInt16BE(0);
  return [content.subarray(2, middle), content.subarray(middle)];
}
