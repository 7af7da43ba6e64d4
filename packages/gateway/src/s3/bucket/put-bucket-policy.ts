import type { BucketRecord } from '@azimuth/proto';

import { parseBucketPolicy } from '../../auth/policy/bucket-policy';
import { malformedPolicy } from '../../auth/policy/malformed-policy';
import { POLICY_BYTES_MAX } from '../../auth/policy/parse-policy';
import { isPublicPolicy } from '../../auth/policy/public-policy';
import type { S3Request } from '../../http/request';
import { publicAccessBlockOf } from '../bucket-configuration';
import type { Operation } from '../operation';
import { readDocument } from '../request-document';
import { invalidRequest, S3Error } from '../s3-error';
import { changeConfiguration } from './bucket-change';
import { isKnownPrincipal, requireOwnBucket } from './policy-change';

/** More than a policy may have, so that one that is too long is told so as a policy. */
const DOCUMENT_BYTES_MAX = 4 * POLICY_BYTES_MAX;
const CONFIRM = 'x-amz-confirm-remove-self-bucket-access';

/** @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketPolicy.html */
export const putBucketPolicy: Operation = {
  name: 'PutBucketPolicy',
  body: 'document',
  documentBytesMax: DOCUMENT_BYTES_MAX,

  async handle(request, context) {
    const bucket = await requireOwnBucket(request, context);
    const document = await readDocument(request, {
      bytesMax: DOCUMENT_BYTES_MAX,
      integrity: 'checked',
    });
    const text = decodeText(document);
    const policy = parseBucketPolicy(text, bucket.name, (principal) =>
      isKnownPrincipal(principal, context),
    );
    const { blockPublicPolicy } = publicAccessBlockOf(bucket, context.accounts);
    if (blockPublicPolicy && isPublicPolicy(policy)) throw new S3Error('AccessDenied');
    await requireKeptAccess(bucket, text, request);
    await changeConfiguration(bucket, 'policy', text, context);
    return { status: 204 };
  },
};

function decodeText(document: Buffer): string {
  if (document.byteLength === 0) throw new S3Error('MissingRequestBodyError');
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(document);
  } catch {
    throw malformedPolicy("Policies must be valid JSON and the first byte must be '{'");
  }
}

/**
 * P-4: whoever would lose the right to change the policy again has to say that they mean it. The
 * root of the account cannot lose it.
 */
async function requireKeptAccess(
  bucket: BucketRecord,
  text: string,
  { access, headers, principal }: S3Request,
): Promise<void> {
  if (principal.kind === 'root' || headers.get(CONFIRM)?.toLowerCase() === 'true') return;
  const configurations = { ...bucket.configurations, policy: JSON.stringify(text) };
  const changed: BucketRecord = { ...bucket, configurations };
  const target = { bucket: changed, bucketName: bucket.name, key: null, versionId: null };
  if (await access.isAllowed('s3:PutBucketPolicy', target)) return;
  throw invalidRequest(
    `This policy would remove your own permission to change it. Send ${CONFIRM}: true to put it.`,
  );
}
