import { hasCode, required } from '@azimuth/common';

import { isBucketName } from '../../http/bucket-name';
import type { S3Request } from '../../http/request';
import type { S3Response } from '../../http/response';
import { requireFreshView } from '../bucket-access';
import type { BucketConfigurations } from '../bucket-configuration';
import type { Operation, OperationContext } from '../operation';
import { readDocument } from '../request-document';
import { S3Error } from '../s3-error';
import { firstConfigurations, parseBucketDocument } from './new-bucket';

const DOCUMENT_BYTES_MAX = 1024 ** 2;
const BUCKET_ID_BYTES = 16;

/** @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html */
export const createBucket: Operation = {
  name: 'CreateBucket',
  body: 'document',
  documentBytesMax: DOCUMENT_BYTES_MAX,

  async handle(request, context) {
    await requireFreshView(context, request.signal);
    const name = required(request.bucket, 'bucket name');
    if (!isBucketName(name)) throw new S3Error('InvalidBucketName', { BucketName: name });
    const { canonicalId } = request.principal;
    const configurations = firstConfigurations(request.headers, canonicalId, context.accounts);
    const document = await readDocument(request, {
      bytesMax: DOCUMENT_BYTES_MAX,
      integrity: 'checked',
      isOptional: true,
    });
    const tagging = parseBucketDocument(document, context.region);
    // What headers ask for beyond the bucket was authorized with the request.
    if (tagging !== null) await requireTagging(name, request);

    const bucketId = context.random.bytes(BUCKET_ID_BYTES).toString('hex');
    try {
      await context.metadata.root(
        'CreateBucket',
        {
          name,
          bucketId,
          owner: canonicalId,
          versioning: 'unversioned',
          configurations: documentsOf(
            tagging === null ? configurations : { ...configurations, tagging },
          ),
        },
        { signal: request.signal },
      );
    } catch (error) {
      if (isFull(error)) throw new S3Error('TooManyBuckets', {}, { cause: error });
      if (!hasCode(error, 'BUCKET_EXISTS')) throw error;
      await acceptExisting(name, request, context);
    }
    return created(name);
  },
};

/** The cluster holds as many buckets, or as much of their configurations, as it can. */
function isFull(error: unknown): boolean {
  return hasCode(error, 'INVALID_ARGUMENT') && error.detail['limit'] !== undefined;
}

function requireTagging(name: string, { access }: S3Request): Promise<void> {
  const target = { bucket: null, bucketName: name, key: null, versionId: null };
  return access.require('s3:TagResource', target);
}

function documentsOf(configurations: Partial<BucketConfigurations>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(configurations).map(([name, value]) => [name, JSON.stringify(value)]),
  );
}

/** The owner may make a bucket again where AWS lets them; anybody else is refused. */
async function acceptExisting(
  name: string,
  { principal, signal }: S3Request,
  context: OperationContext,
): Promise<void> {
  const existing = await context.metadata.queryRoot('GetBucket', { name }, { signal });
  // Being deleted, or deleted by now: success would promise a bucket that is about to vanish.
  if (existing === null || existing.deletingSinceMs !== null) throw new S3Error('OperationAborted');
  if (existing.owner !== principal.canonicalId) {
    throw new S3Error('BucketAlreadyExists', { BucketName: name });
  }
  // us-east-1 has always answered the owner with success here, and clients rely on it.
  if (context.region !== 'us-east-1') {
    throw new S3Error('BucketAlreadyOwnedByYou', { BucketName: name });
  }
}

function created(name: string): S3Response {
  return { status: 200, headers: { location: `/${name}`, 'content-length': '0' } };
}
