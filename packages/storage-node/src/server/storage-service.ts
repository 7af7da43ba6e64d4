import type { UntypedServiceImplementation } from '@grpc/grpc-js';

import { mapLimited, StoreError } from '@azimuth/common';
import { isBlobId, storageService } from '@azimuth/proto';
import type { Registration, Role } from '@azimuth/rpc';
import { unaryHandler } from '@azimuth/rpc';

import type { ScrubProgress } from '../scrubber/scrubber';
import { FINDINGS_MAX } from '../scrubber/findings';
import type { ShardStore, ShardVerdict } from '../store/shard-store';
import type { BulkSessions } from './bulk-sessions';
import type { FailedSource, RebuildRequest } from '../repair/shard-rebuilder';
import { parseRebuildRequest } from './rebuild-message';
import type { RebuildMessage } from './rebuild-message';
import { BULK_ROLES, SESSION_ROLES } from './shard-server';

/** One disk as the control service sees it. */
export interface ServedDisk {
  readonly store: ShardStore;
  readonly scrubber: { readonly progress: ScrubProgress };
}

export interface Rebuilder {
  rebuild(
    store: ShardStore,
    request: RebuildRequest,
    signal: AbortSignal,
  ): Promise<readonly FailedSource[]>;
}

export interface StorageServiceOptions {
  readonly disks: ReadonlyMap<string, ServedDisk>;
  readonly sessions: BulkSessions;
  readonly incarnation: string;
  readonly rebuilder: Rebuilder;
  readonly nodeId: string;
  isServing(): boolean;
}

const VERDICTS = {
  intact: 'INTACT',
  absent: 'ABSENT',
  corrupt: 'CORRUPT',
} as const satisfies Record<ShardVerdict, string>;

/** A census reads whole shards; more at once would only move the disk's head about. */
const VERIFICATIONS_AT_A_TIME = 4;
const VERIFY_SHARDS_MAX = 1000;
const OBSERVERS: readonly Role[] = [...BULK_ROLES, 'metadata'];
const CENSUS_TAKERS: readonly Role[] = ['curator', 'admin'];

/** The gRPC service of proto/azimuth/storage/v1, with the roles that may call each method. */
export function storageRegistration(options: StorageServiceOptions): Registration {
  return {
    service: storageService,
    implementation: storageHandlers(options),
    allow: {
      IssueSession: SESSION_ROLES,
      GetHealth: OBSERVERS,
      GetStatistics: OBSERVERS,
      ListShards: BULK_ROLES,
      VerifyShards: CENSUS_TAKERS,
      RebuildShard: CENSUS_TAKERS,
      ListFindings: CENSUS_TAKERS,
    },
  };
}

interface ListShardsRequest {
  readonly diskId: string;
  readonly pgId: number;
  readonly afterBlobId: string;
  readonly limit: number;
}

interface VerifyShardsRequest {
  readonly diskId: string;
  readonly shards: readonly { readonly blobId: string; readonly shardIndex: number }[];
}

interface ListFindingsRequest {
  readonly diskId: string;
  readonly limit: number;
}

function storageHandlers(options: StorageServiceOptions): UntypedServiceImplementation {
  const { disks, sessions } = options;
  const diskOf = (diskId: string): ServedDisk => {
    const disk = disks.get(diskId);
    if (disk === undefined) throw new StoreError('DISK_UNKNOWN', { diskId });
    return disk;
  };
  return {
    IssueSession: unaryHandler((_request: unknown, peer) => Promise.resolve(sessions.issue(peer))),
    GetHealth: unaryHandler(() =>
      Promise.resolve({ isServing: options.isServing(), incarnation: options.incarnation }),
    ),
    GetStatistics: unaryHandler(() =>
      Promise.resolve({ disks: [...disks.values()].map(diskStatistics) }),
    ),
    ListShards: unaryHandler(async (request: ListShardsRequest) => {
      const { diskId, pgId, afterBlobId, limit } = request;
      if (afterBlobId !== '' && !isBlobId(afterBlobId)) throw invalid('afterBlobId');
      const after = afterBlobId === '' ? null : afterBlobId;
      const page = await diskOf(diskId).store.list(pgId, after, limit);
      return { shards: page.shards.map(describeShard), isTruncated: page.isTruncated };
    }),
    VerifyShards: unaryHandler(async ({ diskId, shards }: VerifyShardsRequest) => {
      const { store } = diskOf(diskId);
      if (shards.length > VERIFY_SHARDS_MAX) throw invalid('too many shards');
      if (!shards.every(({ blobId }) => isBlobId(blobId))) throw invalid('blobId');
      const verdicts = await mapLimited(shards, VERIFICATIONS_AT_A_TIME, (id) => store.verify(id));
      return { verdicts: verdicts.map((verdict) => VERDICTS[verdict]) };
    }),
    RebuildShard: unaryHandler(async (message: RebuildMessage, _peer, signal) => {
      const { store } = diskOf(message.diskId);
      const request = parseRebuildRequest(message, options.nodeId);
      const failedSources = await options.rebuilder.rebuild(store, request, signal);
      return { isWritten: failedSources.length === 0, failedSources };
    }),
    ListFindings: unaryHandler((request: ListFindingsRequest) => {
      const limit = Math.min(request.limit === 0 ? FINDINGS_MAX : request.limit, FINDINGS_MAX);
      const findings = diskOf(request.diskId).store.findings(limit);
      return Promise.resolve({
        findings: findings.map(({ id, pgId, problem }) => ({ pgId, shard: id, problem })),
      });
    }),
  };
}

function diskStatistics({ store, scrubber }: ServedDisk): Record<string, unknown> {
  const progress = scrubber.progress;
  return {
    diskId: store.diskId,
    ...store.statistics(),
    scrubbedBytes: progress.scrubbedBytes,
    scrubTourStartedMs: Math.floor(progress.tourStartedMs),
    scrubTourBytes: progress.tourBytes,
    scrubShare: progress.share,
    scrubExpectedEndMs: Math.floor(progress.expectedEndMs),
    scrubLastPassMs: Math.floor(progress.lastPassMs ?? 0),
    isScrubLate: progress.isLate,
  };
}

function describeShard(
  shard: Awaited<ReturnType<ShardStore['list']>>['shards'][number],
): Record<string, unknown> {
  const { profile, shardSizeBytes, ...rest } = shard;
  return { ...rest, ...profile, sizeBytes: shardSizeBytes };
}

function invalid(reason: string): StoreError {
  return new StoreError('INVALID_ARGUMENT', { reason });
}
