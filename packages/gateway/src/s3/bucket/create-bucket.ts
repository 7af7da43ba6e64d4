import { hasCode, required } from '@azimuth/common';

import { isBucketName } from '../../http/bucket-name';
import type { Headers, S3Request } from '../../http/request';
import type { S3Response } from '../../http/response';
import { childrenOf, childText, parseXml, requireRoot } from '../../http/xml/xml-element';
import { requireFreshView } from '../bucket-access';
import { parseCannedAcl } from '../object-headers';
import type { Operation, OperationContext } from '../operation';
import { readDocument } from '../request-document';
import { S3Error } from '../s3-error';

const DOCUMENT_BYTES_MAX = 1024 ** 2;
const BUCKET_ID_BYTES = 16;

/** @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html */
export const createBucket: Operation = {
  name: 'CreateBucket',
  action: 's3:CreateBucket',
  body: 'document',
  documentBytesMax: DOCUMENT_BYTES_MAX,

  async handle(request, context) {
    requireFreshView(context);
    const name = required(request.bucket, 'bucket name');
    if (!isBucketName(name)) throw new S3Error('InvalidBucketName', { BucketName: name });
    refuseBucketHeaders(request.headers);
    const document = await readDocument(request, {
      bytesMax: DOCUMENT_BYTES_MAX,
      integrity: 'checked',
    });
    checkConfiguration(document, context.region);

    const { canonicalId } = request.principal;
    const bucketId = context.random.bytes(BUCKET_ID_BYTES).toString('hex');
    try {
      await context.metadata.root(
        'CreateBucket',
        {
          name,
          bucketId,
          owner: canonicalId,
          versioning: 'unversioned',
          configurations: {},
        },
        { signal: request.signal },
      );
    } catch (error) {
      if (!hasCode(error, 'BUCKET_EXISTS')) throw error;
      await acceptExisting(name, request, context);
    }
    return created(name);
  },
};

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

/** What a bucket cannot be yet is refused rather than forgotten. */
function refuseBucketHeaders(headers: Headers): void {
  const objectLock = 'x-amz-bucket-object-lock-enabled';
  const lockEnabled = headers.get(objectLock)?.toLowerCase();
  if (lockEnabled !== undefined && lockEnabled !== 'false') {
    throw new S3Error('NotImplemented', { Header: objectLock });
  }
  const ownership = headers.get('x-amz-object-ownership');
  if (ownership !== undefined && ownership !== 'BucketOwnerEnforced') {
    throw new S3Error('NotImplemented', { Header: 'x-amz-object-ownership' });
  }
  const namespace = headers.get('x-amz-bucket-namespace');
  if (namespace !== undefined && namespace !== 'global') {
    throw new S3Error('NotImplemented', { Header: 'x-amz-bucket-namespace' });
  }
  const acl = parseCannedAcl(headers);
  const hasGrants = [...headers.keys()].some((name) => name.startsWith('x-amz-grant-'));
  if (hasGrants || (acl !== null && acl !== 'private')) {
    throw new S3Error('InvalidBucketAclWithObjectOwnership');
  }
}

const NOT_IMPLEMENTED_ELEMENTS = ['Location', 'Bucket', 'Tags'];

/** A bucket lives in the region of the cluster; without a constraint that is meant. */
function checkConfiguration(document: Buffer, region: string): void {
  if (document.byteLength === 0) return;
  const root = requireRoot(parseXml(document), 'CreateBucketConfiguration');
  for (const child of childrenOf(root, ['LocationConstraint', ...NOT_IMPLEMENTED_ELEMENTS])) {
    if (NOT_IMPLEMENTED_ELEMENTS.includes(child.name)) {
      throw new S3Error(
        'NotImplemented',
        { Element: child.name },
        { message: 'An element you provided implies functionality that is not implemented' },
      );
    }
  }
  const constraint = childText(root, 'LocationConstraint')?.trim() ?? '';
  if (constraint === '' || constraint === region) return;
  if (/^[a-z]{2}(?:-[a-z]+)+-\d+$/.test(constraint)) {
    throw new S3Error(
      'IllegalLocationConstraintException',
      {},
      {
        message:
          `The ${constraint} location constraint is incompatible for the region specific ` +
          'endpoint this request was sent to.',
      },
    );
  }
  throw new S3Error('InvalidLocationConstraint', { LocationConstraint: constraint });
}
