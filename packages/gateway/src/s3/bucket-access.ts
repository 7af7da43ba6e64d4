import type { OperationContext } from './operation';
import { WATCH_AGE_MAX_MS } from '@azimuth/clients';
import { required } from '@azimuth/common';
import type { BucketRecord } from '@azimuth/proto';
import { indexGroupOfSlot } from '@azimuth/placement';
import { slotOfKey } from '@azimuth/proto';

import type { S3Request } from '../http/request';
import type { WriteOptions } from '../data-path/data-path';
import { bucketConfiguration, outagePolicyOf } from './bucket-configuration';
import { ONE_ZONE_STORAGE_CLASS } from './object-headers';
import { S3Error } from './s3-error';

export const KEY_BYTES_MAX = 1024;
/** An account id or a canonical id. */
const OWNER_ID = /^(?:[0-9]{12}|[0-9a-f]{64})$/;
/** As long as a read waits for a leader when the gateway is cut off. */
const REFUSAL_WAIT_MS = 1_000;
/** A view that is confirmed as it is tells nobody. */
const REFUSAL_POLL_MS = 100;
const REQUEST_PAYER = 'x-amz-request-payer';

/** A key in a bucket, and where its versions live. */
export interface ObjectLocation {
  readonly bucket: BucketRecord;
  readonly key: string;
  /** What the metadata commands take. */
  readonly address: { readonly bucketId: string; readonly key: string };
  readonly slot: number;
  /** Index group, `index-0` … */
  readonly group: string;
}

/**
 * The bucket of the request.
 *
 * @throws S3Error NoSuchBucket; AccessDenied when it belongs to another account than the one that
 * `x-amz-expected-bucket-owner` names, or when the requester pays and did not say so;
 * InvalidBucketOwnerAWSAccountID for a name that no account has.
 */
export async function requireBucket(
  request: S3Request,
  context: OperationContext,
): Promise<BucketRecord> {
  const name = required(request.bucket, 'bucket name');
  const expectedOwner = request.headers.get('x-amz-expected-bucket-owner');
  return requireBucketNamed(name, expectedOwner, request, context);
}

/** The same for a bucket that something else than the path names: the source of a copy. */
export async function requireBucketNamed(
  name: string,
  expectedOwner: string | undefined,
  request: S3Request,
  context: OperationContext,
): Promise<BucketRecord> {
  if (expectedOwner !== undefined && !OWNER_ID.test(expectedOwner)) {
    throw new S3Error('InvalidBucketOwnerAWSAccountID');
  }
  const bucket = await context.view.bucket(name, request.signal);
  if (bucket === null) throw new S3Error('NoSuchBucket', { BucketName: name });
  if (expectedOwner !== undefined && !isOwner(expectedOwner, bucket, context)) {
    throw new S3Error('AccessDenied');
  }
  requirePayer(bucket, request);
  return bucket;
}

/** By account id, or by canonical id for clients of stores that know accounts by nothing else. */
function isOwner(name: string, { owner }: BucketRecord, { accounts }: OperationContext): boolean {
  return name === owner || name === accounts.byCanonicalId(owner)?.accountId;
}

/**
 * A bucket whose requester pays lets others in only when they say that they know. Nothing is
 * billed here; the question and its answer are those of AWS.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/RequesterPaysBuckets.html
 */
function requirePayer(bucket: BucketRecord, { principal, headers, query }: S3Request): void {
  if (bucketConfiguration(bucket, 'request-payment') !== 'Requester') return;
  if (principal.canonicalId === bucket.owner) return;
  const payer = headers.get(REQUEST_PAYER) ?? query.get(REQUEST_PAYER);
  if (principal.kind === 'anonymous' || payer !== 'requester') throw new S3Error('AccessDenied');
}

/** `x-amz-request-charged` of what somebody else than the bucket's owner was let in for. */
export function chargedHeaders(
  bucket: BucketRecord | null,
  { principal }: Pick<S3Request, 'principal'>,
): Readonly<Record<string, string>> | null {
  if (bucket === null || bucketConfiguration(bucket, 'request-payment') !== 'Requester')
    return null;
  return principal.canonicalId === bucket.owner ? null : { 'x-amz-request-charged': 'requester' };
}

/** The bucket and key of a request that reads. */
export async function requireObject(
  request: S3Request,
  context: OperationContext,
): Promise<ObjectLocation> {
  const key = requireKey(request);
  return locateObject(await requireBucket(request, context), key, context);
}

/**
 * The bucket and key of a request that writes. Every write of an object passes here, so here is
 * where a gateway that lost its watch refuses: what it believes of buckets and groups may be long
 * wrong.
 */
export async function requireWritableObject(
  request: S3Request,
  context: OperationContext,
): Promise<ObjectLocation> {
  await requireFreshView(context, request.signal);
  return requireObject(request, context);
}

/**
 * What authorized the request is as old as the view, so a request that meets an old one has to come
 * again, also when the view is confirmed meanwhile. It is told so when that is of use, or after a
 * while: a client that tries again at once would spend all of its tries on one short election.
 *
 * @throws S3Error SlowDown when the cluster view is too old to write by.
 */
export async function requireFreshView(
  { view, clock }: OperationContext,
  signal?: AbortSignal,
): Promise<void> {
  const isStale = (): boolean => view.ageMs() > WATCH_AGE_MAX_MS;
  if (!isStale()) return;
  const deadlineMs = clock.monotonicMs() + REFUSAL_WAIT_MS;
  while (isStale() && signal?.aborted !== true && clock.monotonicMs() < deadlineMs) {
    await view.waitForChange(REFUSAL_POLL_MS);
  }
  throw new S3Error('SlowDown');
}

export function locateObject(
  bucket: BucketRecord,
  key: string,
  context: OperationContext,
): ObjectLocation {
  const slot = slotOfKey(bucket.bucketId, key);
  return {
    bucket,
    key,
    address: { bucketId: bucket.bucketId, key },
    slot,
    group: indexGroupOfSlot(slot, context.view.map().settings.indexGroups),
  };
}

/** What the data path is told of where a body belongs, and of one of this storage class. */
export function writeTarget(
  { bucket, slot }: ObjectLocation,
  { storageClass }: { readonly storageClass: string },
): Pick<WriteOptions, 'slot' | 'outagePolicy' | 'isOneZone'> {
  const isOneZone = storageClass === ONE_ZONE_STORAGE_CLASS;
  return { slot, outagePolicy: outagePolicyOf(bucket), isOneZone };
}

/** Every index group of the cluster. */
export function indexGroups(context: OperationContext): readonly string[] {
  const { indexGroups: count } = context.view.map().settings;
  return Array.from({ length: count }, (_, index) => indexGroupOfSlot(index, count));
}

function requireKey(request: S3Request): string {
  const key = required(request.key, 'object key');
  checkKeyLength(key);
  return key;
}

/** @throws S3Error KeyTooLongError (G-13). */
export function checkKeyLength(key: string): void {
  const sizeBytes = Buffer.byteLength(key);
  if (sizeBytes > KEY_BYTES_MAX) {
    throw new S3Error('KeyTooLongError', { Size: sizeBytes, MaxSizeAllowed: KEY_BYTES_MAX });
  }
}

export function isVersioned(bucket: BucketRecord): boolean {
  return bucket.versioning !== 'unversioned';
}
