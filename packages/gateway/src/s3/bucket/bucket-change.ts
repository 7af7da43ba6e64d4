import { hasCode } from '@azimuth/common';
import type { BucketRecord } from '@azimuth/proto';

import { requireFreshView } from '../bucket-access';
import type { BucketConfigurationName, BucketConfigurations } from '../bucket-configuration';
import type { OperationContext } from '../operation';
import { S3Error } from '../s3-error';

/** How long a change is waited for in this gateway's own view of the buckets. */
const VIEW_WAIT_MS_MAX = 2_000;
const VIEW_WAIT_STEP_MS = 250;

/**
 * Stores or, with null, removes a configuration, and waits until this gateway acts on it: who put a
 * configuration and then relies on it must not be served by the old one.
 *
 * @throws S3Error NoSuchBucket, MaxMessageLengthExceeded, SlowDown.
 */
export function changeConfiguration<Name extends BucketConfigurationName>(
  bucket: BucketRecord,
  configuration: Name,
  value: BucketConfigurations[Name] | null,
  context: OperationContext,
): Promise<void> {
  const document = value === null ? null : JSON.stringify(value);
  return changeDocument(bucket, configuration, document, context);
}

/** The same for a configuration of which a bucket has several, by its whole name and its text. */
export async function changeDocument(
  bucket: BucketRecord,
  configuration: string,
  document: string | null,
  context: OperationContext,
): Promise<void> {
  await requireFreshView(context);
  const before = bucket.configurations[configuration] ?? null;
  if (before === document) return;
  const { name, bucketId } = bucket;
  await translated(name, () =>
    context.metadata.root('SetBucketConfiguration', { name, bucketId, configuration, document }),
  );
  await seen(
    name,
    (record) =>
      record?.bucketId !== bucketId || (record.configurations[configuration] ?? null) !== before,
    context,
  );
}

/** V-1: there is no way back to `unversioned`. */
export async function changeVersioning(
  bucket: BucketRecord,
  versioning: 'enabled' | 'suspended',
  context: OperationContext,
): Promise<void> {
  await requireFreshView(context);
  if (bucket.versioning === versioning) return;
  const { name, bucketId } = bucket;
  await translated(name, () =>
    context.metadata.root('SetBucketVersioning', { name, bucketId, versioning }),
  );
  await seen(
    name,
    (record) => record?.bucketId !== bucketId || record.versioning !== bucket.versioning,
    context,
  );
}

async function translated(name: string, change: () => Promise<unknown>): Promise<void> {
  try {
    await change();
  } catch (error) {
    if (hasCode(error, 'BUCKET_NOT_FOUND')) {
      throw new S3Error('NoSuchBucket', { BucketName: name }, { cause: error });
    }
    // The only argument that a client can make too large is the document.
    if (hasCode(error, 'INVALID_ARGUMENT')) {
      throw new S3Error('MaxMessageLengthExceeded', {}, { cause: error });
    }
    throw error;
  }
}

async function seen(
  name: string,
  isNew: (record: BucketRecord | null) => boolean,
  { view, clock }: OperationContext,
): Promise<void> {
  const startedMs = clock.monotonicMs();
  while (!isNew(await view.bucket(name))) {
    if (clock.monotonicMs() - startedMs > VIEW_WAIT_MS_MAX) return;
    await view.waitForChange(VIEW_WAIT_STEP_MS);
  }
}
