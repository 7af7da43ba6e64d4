import type { PlacementGroup, StorageNodeEntry } from '@azimuth/placement';
import { StorageStub } from '@azimuth/proto';
import type { StorageStubClient } from '@azimuth/proto';
import { createClient, unaryCall } from '@azimuth/rpc';
import type { TlsMaterial } from '@azimuth/rpc';

import type { ScrubAnswer } from './scrub-status';

const CALL_TIMEOUT_MS = 5_000;
const LIST_PAGE_MAX = 1_000;

export type ShardPresence = 'intact' | 'absent' | 'corrupt' | 'unreachable';

/** A shard that a scrub tour or a reader found corrupt; `pgId` 0 when that is not known. */
export interface ShardFinding {
  readonly pgId: number;
  readonly blobId: string;
  readonly shardIndex: number;
}

/** What the command line asks of storage nodes. Failures are answers here, not errors. */
export interface StorageInspector {
  /** Reads the shard on its disk and checks it. */
  verifyShard(
    node: StorageNodeEntry,
    shard: { readonly diskId: string; readonly blobId: string; readonly shardIndex: number },
  ): Promise<ShardPresence>;
  /** Shards of a group on a disk; null when the node does not answer. */
  countShards(
    node: StorageNodeEntry,
    diskId: string,
    group: Pick<PlacementGroup, 'pgId'>,
  ): Promise<number | null>;
  /** At most `limit` shards that the disk should hold intact and does not; null without an answer. */
  findingsOf(
    node: StorageNodeEntry,
    diskId: string,
    limit: number,
  ): Promise<readonly ShardFinding[] | null>;
  /** How far the scrub tours of its disks are; empty when the node does not answer. */
  scrubsOf(node: StorageNodeEntry): Promise<readonly ScrubAnswer[]>;
  close(): void;
}

interface DiskStatistics {
  readonly diskId: string;
  readonly corruptShards: number;
  readonly scrubShare: number;
  readonly scrubTourBytes: number;
  readonly scrubExpectedEndMs: number;
  readonly scrubLastPassMs: number;
  readonly isScrubLate: boolean;
}

interface ShardPage {
  readonly shards: readonly { readonly blobId: string }[];
  readonly isTruncated: boolean;
}

interface FindingPage {
  readonly findings: readonly {
    readonly pgId: number;
    readonly shard: { readonly blobId: string; readonly shardIndex: number } | null;
  }[];
}

export function createStorageInspector(tls: TlsMaterial, clusterId: string): StorageInspector {
  const stubs = new Map<string, StorageStubClient>();
  const stubOf = (node: StorageNodeEntry): StorageStubClient => {
    const key = `${node.nodeId}/${node.incarnation}`;
    const known = stubs.get(key);
    if (known !== undefined) return known;
    const stub = createClient(StorageStub, {
      host: node.host,
      port: node.rpcPort,
      tls,
      clusterId,
      expectedRole: 'storage',
      expectedNodeId: node.nodeId,
    });
    stubs.set(key, stub);
    return stub;
  };
  const timeout = { timeoutMs: CALL_TIMEOUT_MS };
  return {
    verifyShard: async (node, { diskId, blobId, shardIndex }) => {
      const request = { diskId, shards: [{ blobId, shardIndex }] };
      try {
        const { verdicts } = await unaryCall<{ verdicts: readonly string[] }>(
          (options, done) => stubOf(node).VerifyShards(request, options, done),
          timeout,
        );
        return PRESENCE_OF[verdicts[0] ?? ''] ?? 'unreachable';
      } catch {
        return 'unreachable';
      }
    },
    countShards: async (node, diskId, { pgId }) => {
      let count = 0;
      let afterBlobId = '';
      try {
        for (;;) {
          const request = { diskId, pgId, afterBlobId, limit: LIST_PAGE_MAX };
          const { shards, isTruncated } = await unaryCall<ShardPage>(
            (options, done) => stubOf(node).ListShards(request, options, done),
            timeout,
          );
          count += shards.length;
          const last = shards.at(-1);
          if (!isTruncated || last === undefined) return count;
          afterBlobId = last.blobId;
        }
      } catch {
        return null;
      }
    },
    findingsOf: (node, diskId, limit) => listFindings(stubOf(node), diskId, limit),
    scrubsOf: async (node) => {
      try {
        const { disks } = await unaryCall<{ disks: readonly DiskStatistics[] }>(
          (options, done) => stubOf(node).GetStatistics({}, options, done),
          timeout,
        );
        return disks.map(scrubOf);
      } catch {
        return [];
      }
    },
    close: () => {
      for (const stub of stubs.values()) stub.close();
    },
  };
}

async function listFindings(
  stub: StorageStubClient,
  diskId: string,
  limit: number,
): Promise<readonly ShardFinding[] | null> {
  try {
    const { findings } = await unaryCall<FindingPage>(
      (options, done) => stub.ListFindings({ diskId, limit }, options, done),
      { timeoutMs: CALL_TIMEOUT_MS },
    );
    const named = findings.flatMap(({ pgId, shard }) =>
      shard === null ? [] : [{ pgId, blobId: shard.blobId, shardIndex: shard.shardIndex }],
    );
    return named.length === findings.length ? named : null;
  } catch {
    return null;
  }
}

function scrubOf(disk: DiskStatistics): ScrubAnswer {
  return {
    diskId: disk.diskId,
    share: disk.scrubShare,
    tourBytes: disk.scrubTourBytes,
    expectedEndMs: disk.scrubExpectedEndMs,
    lastPassMs: disk.scrubLastPassMs === 0 ? null : disk.scrubLastPassMs,
    isLate: disk.isScrubLate,
    corruptShards: disk.corruptShards,
  };
}

const PRESENCE_OF: Readonly<Record<string, ShardPresence>> = {
  INTACT: 'intact',
  ABSENT: 'absent',
  CORRUPT: 'corrupt',
};
