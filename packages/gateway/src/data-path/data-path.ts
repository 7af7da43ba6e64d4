import type { OutagePolicy } from '@azimuth/placement';
import type { BlobRef, ChecksumAlgorithm, CommittedData, VersionBody } from '@azimuth/proto';

import type { ByteSink, ByteSource } from './byte-source';

export type DigestAlgorithm = ChecksumAlgorithm;

export interface WriteOptions {
  /** Exact length of the body; the source must deliver just this many bytes. */
  readonly sizeBytes: number;
  /** Index slot of the key (`slotOfKey`): goes into the blob id. */
  readonly slot: number;
  /** Computed over the body in the same pass. */
  readonly digests: readonly DigestAlgorithm[];
  /** Default `reduced`. With `strict`: QUORUM_NOT_REACHED while no whole normal group is left. */
  readonly outagePolicy?: OutagePolicy | undefined;
  /** The body may be all in one zone, this gateway's if that is whole, and be lost with it. */
  readonly isOneZone?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface WrittenBody {
  readonly data: CommittedData;
  /** Raw digests, big-endian for CRCs. */
  readonly digests: ReadonlyMap<DigestAlgorithm, Buffer>;
}

/** Stores and fetches bodies. Knows zones, groups and shards; knows no HTTP, no XML, no keys. */
export interface DataPath {
  /**
   * Stores a body and returns once it is durable and survives the loss of any one zone of those
   * alive, or, with `isOneZone`, of any one node of its zone; `data.missing` names shards that
   * failed within that rule. Nothing is reachable until the caller commits `data`.
   *
   * Errors: QUORUM_NOT_REACHED, OVERLOADED, UNAVAILABLE (stale cluster view), CANCELLED, and
   * whatever the source rejects with; after an error everything written is discarded in the
   * background.
   */
  write(source: ByteSource, options: WriteOptions): Promise<WrittenBody>;

  /**
   * Pushes bytes `[from, to)` of a body, verified, into `sink`. Every byte pushed is right; an
   * error may come after some. Errors: TOO_FEW_SHARDS, ZONE_OUT (the one zone that holds
   * it), SHARD_CORRUPT, CANCELLED.
   */
  read(
    body: VersionBody,
    range: { readonly from: number; readonly to: number },
    sink: ByteSink,
    signal?: AbortSignal,
  ): Promise<void>;

  /**
   * Deletes blobs that were written but will certainly not be committed (a digest mismatch, a
   * refused commit). Never for a commit whose outcome is unknown. Returns at once; failures are
   * left to the collector.
   */
  discard(blobs: readonly BlobRef[]): void;
}
