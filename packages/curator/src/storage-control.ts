import type { ShardAddress, ShardAttributes } from '@azimuth/clients';
import type { DiskId, StorageNodeEntry } from '@azimuth/placement';
import { StorageStub } from '@azimuth/proto';
import type { StorageStubClient } from '@azimuth/proto';
import { createClient, unaryCall } from '@azimuth/rpc';
import type { TlsMaterial } from '@azimuth/rpc';

export interface ShardName {
  readonly blobId: string;
  readonly shardIndex: number;
}

/**
 * `unknown` is a verdict that this version does not know: neither proof of presence nor of
 * absence.
 */
export type ShardVerdict = 'intact' | 'absent' | 'corrupt' | 'unknown';

export interface ShardFinding extends ShardName {
  readonly pgId: number;
}

/** What came of asking a node to rebuild a shard. */
export interface RebuildOutcome {
  readonly isWritten: boolean;
  /** Sources that it could not read; others may serve. */
  readonly failedSources: readonly { readonly shardIndex: number; readonly code: string }[];
}

/** What a curator asks of a storage node beside shard bytes. Errors: UNAVAILABLE, TIMEOUT, … */
export interface StorageControl {
  /** Reads each shard on the disk and checks it; one verdict a name, in order. */
  verifyShards(
    node: StorageNodeEntry,
    diskId: DiskId,
    shards: readonly ShardName[],
    signal?: AbortSignal,
  ): Promise<readonly ShardVerdict[]>;

  /**
   * Has the node of `target` compute the shard from `sources`, k others, and store it. It is durable
   * when the answer says that it is written; verify it all the same. Errors: also OVERLOADED,
   * CHECKSUM_MISMATCH, DISK_FULL, DISK_FENCED, DISK_UNKNOWN.
   */
  rebuildShard(
    target: ShardAddress,
    attributes: ShardAttributes,
    sources: readonly ShardAddress[],
    signal?: AbortSignal,
  ): Promise<RebuildOutcome>;

  /** Shards that a scrub tour found corrupt and that were not rewritten since. */
  listFindings(
    node: StorageNodeEntry,
    diskId: DiskId,
    limit: number,
    signal?: AbortSignal,
  ): Promise<readonly ShardFinding[]>;

  close(): void;
}

/** Verifying reads whole shards, so it may take long. */
const VERIFY_TIMEOUT_MS = 60_000;
const LIST_TIMEOUT_MS = 5_000;
const REBUILD_TIMEOUT_MS = 60_000;
/** A node that is busy with clients may have this left for all that it rebuilds at a time. */
const REBUILD_BYTES_PER_MS_MIN = 256;
const STUBS_MAX = 1_024;

const VERDICTS: Readonly<Record<string, ShardVerdict>> = {
  INTACT: 'intact',
  ABSENT: 'absent',
  CORRUPT: 'corrupt',
};

export function createStorageControl(options: {
  readonly tls: TlsMaterial;
  readonly clusterId: string;
}): StorageControl {
  return new RpcStorageControl(options.tls, options.clusterId);
}

class RpcStorageControl implements StorageControl {
  readonly #tls: TlsMaterial;
  readonly #clusterId: string;
  /** By node, address and incarnation: a node that restarted elsewhere gets a new connection. */
  readonly #stubs = new Map<string, StorageStubClient>();

  constructor(tls: TlsMaterial, clusterId: string) {
    this.#tls = tls;
    this.#clusterId = clusterId;
  }

  async verifyShards(
    node: StorageNodeEntry,
    diskId: DiskId,
    shards: readonly ShardName[],
    signal?: AbortSignal,
  ): Promise<readonly ShardVerdict[]> {
    const request = { diskId, shards: [...shards] };
    const response = await unaryCall<{ verdicts: readonly string[] }>(
      (options, done) => this.#stub(node).VerifyShards(request, options, done),
      { timeoutMs: VERIFY_TIMEOUT_MS, signal },
    );
    return shards.map((_, index) => VERDICTS[response.verdicts[index] ?? ''] ?? 'unknown');
  }

  async rebuildShard(
    target: ShardAddress,
    attributes: ShardAttributes,
    sources: readonly ShardAddress[],
    signal?: AbortSignal,
  ): Promise<RebuildOutcome> {
    const { diskId, blobId, shardIndex } = target;
    const { pgId, profile, blobSizeBytes, blockBytes, shardSizeBytes } = attributes;
    const request = {
      diskId,
      shard: { blobId, shardIndex },
      pgId,
      k: profile.k,
      m: profile.m,
      blobSizeBytes,
      blockBytes,
      sources: sources.map(({ node, ...source }) => ({
        shardIndex: source.shardIndex,
        diskId: source.diskId,
        nodeId: node.nodeId,
        zone: node.zone,
        incarnation: node.incarnation,
        host: node.host,
        bulkPort: node.bulkPort,
        rpcPort: node.rpcPort,
      })),
    };
    return unaryCall<RebuildOutcome>(
      (options, done) => this.#stub(target.node).RebuildShard(request, options, done),
      { timeoutMs: REBUILD_TIMEOUT_MS + shardSizeBytes / REBUILD_BYTES_PER_MS_MIN, signal },
    );
  }

  async listFindings(
    node: StorageNodeEntry,
    diskId: DiskId,
    limit: number,
    signal?: AbortSignal,
  ): Promise<readonly ShardFinding[]> {
    const response = await unaryCall<{
      findings: readonly { pgId: number; shard: ShardName | null }[];
    }>((options, done) => this.#stub(node).ListFindings({ diskId, limit }, options, done), {
      timeoutMs: LIST_TIMEOUT_MS,
      signal,
    });
    return response.findings.flatMap(({ pgId, shard }) =>
      shard === null ? [] : [{ pgId, blobId: shard.blobId, shardIndex: shard.shardIndex }],
    );
  }

  close(): void {
    for (const stub of this.#stubs.values()) stub.close();
    this.#stubs.clear();
  }

  #stub(node: StorageNodeEntry): StorageStubClient {
    const key = `${node.nodeId} ${node.host}:${node.rpcPort} ${node.incarnation}`;
    let stub = this.#stubs.get(key);
    if (stub === undefined) {
      if (this.#stubs.size >= STUBS_MAX) this.close();
      stub = createClient(StorageStub, {
        host: node.host,
        port: node.rpcPort,
        tls: this.#tls,
        clusterId: this.#clusterId,
        expectedRole: 'storage',
        expectedNodeId: node.nodeId,
      });
      this.#stubs.set(key, stub);
    }
    return stub;
  }
}
