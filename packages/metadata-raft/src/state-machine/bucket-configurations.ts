import { StoreError } from '@azimuth/common';
import type { BucketRecord } from '@azimuth/proto';

/** Of one bucket. Four kinds of configuration may each be there a thousand times. */
const CONFIGURATIONS_MAX = 4_000;
const CONFIGURATIONS_BYTES_MAX = 4 * 1024 * 1024;
/** Of all buckets: watchers hold them all, and the answer to their first question is one message. */
const ALL_CONFIGURATIONS_BYTES_MAX = 32 * 1024 * 1024;
const DOCUMENT_BYTES_MAX = 256 * 1024;
/** Without its configurations a bucket is up to 300 bytes of that answer. */
const BUCKETS_MAX = 50_000;

type Configurations = BucketRecord['configurations'];

/** @throws StoreError INVALID_ARGUMENT with `detail.limit` when there are as many as there can be */
export function requireRoomForBucket(bucketsCount: number): void {
  if (bucketsCount >= BUCKETS_MAX) throw exceeded('buckets');
}

/** The configurations with one put or, with null, removed. */
export function changeConfiguration(
  configurations: Configurations,
  name: string,
  document: string | null,
): Configurations {
  const others = Object.entries(configurations).filter(([other]) => other !== name);
  return Object.fromEntries(document === null ? others : [...others, [name, document]]);
}

/**
 * Answers how many bytes all configurations of all buckets are when `before` becomes `after`.
 *
 * @throws StoreError INVALID_ARGUMENT with `detail.limit`
 */
export function checkConfigurations(
  allBytes: number,
  before: Configurations,
  after: Configurations,
): number {
  const documents = Object.values(after);
  if (documents.length > CONFIGURATIONS_MAX) throw exceeded('configurations of the bucket');
  if (documents.some((document) => Buffer.byteLength(document) > DOCUMENT_BYTES_MAX)) {
    throw exceeded('size of a configuration');
  }
  const afterBytes = sizeBytesOf(after);
  if (afterBytes > CONFIGURATIONS_BYTES_MAX) throw exceeded('size of all of the bucket');
  const changedBytes = allBytes - sizeBytesOf(before) + afterBytes;
  if (changedBytes > ALL_CONFIGURATIONS_BYTES_MAX && changedBytes > allBytes) {
    throw exceeded('size of all of the cluster');
  }
  return changedBytes;
}

export function sizeBytesOf(configurations: Configurations): number {
  return Object.entries(configurations).reduce(
    (sum, [name, document]) => sum + Buffer.byteLength(name) + Buffer.byteLength(document),
    0,
  );
}

function exceeded(limit: string): StoreError {
  return new StoreError('INVALID_ARGUMENT', { limit });
}
