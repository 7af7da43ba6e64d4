import type { BucketRecord } from '@azimuth/proto';

import type { S3Request } from '../../http/request';
import type { AccessControlList } from '../access-control-list';
import { ownershipOf } from '../bucket-configuration';
import type { OperationContext } from '../operation';
import { readDocument } from '../request-document';
import { S3Error } from '../s3-error';
import { parseAclDocument } from './acl-document';
import { grantsOf, parseAclHeaders } from './acl-headers';
import type { AclOwners } from './canned-acl';
import { isOwnerOnly, requireNotBlocked } from './object-acl';

/** 100 grants by e-mail address and display name fit many times. */
export const ACL_BYTES_MAX = 64 * 1024;

/**
 * The ACL that PutBucketAcl or PutObjectAcl asks for, in a header or as a document.
 *
 * @throws S3Error UnexpectedContent for both, MissingSecurityHeader for neither,
 *   AccessControlListNotSupported (P-8), AccessDenied (P-5), and what parsing throws.
 */
export async function readRequestedAcl(
  request: S3Request,
  bucket: BucketRecord,
  owners: AclOwners,
  context: OperationContext,
): Promise<AccessControlList> {
  const { accounts } = context;
  const requested = parseAclHeaders(request.headers, owners.resource, accounts);
  const document = await readDocument(request, {
    bytesMax: ACL_BYTES_MAX,
    integrity: 'checked',
    isOptional: true,
  });
  const hasDocument = document.byteLength > 0;
  if (requested !== null && hasDocument) throw new S3Error('UnexpectedContent');
  if (requested === null && !hasDocument) {
    throw new S3Error('MissingSecurityHeader', { MissingHeaderName: 'x-amz-acl' });
  }
  const acl =
    requested === null
      ? parseAclDocument(document, owners.owner, accounts)
      : grantsOf(requested, owners);
  if (ownershipOf(bucket) === 'BucketOwnerEnforced') {
    const isPrivate = requested?.kind === 'canned' && requested.name === 'private';
    // AWS refuses `private` here although it says what is so, and tools rely on that answer.
    if (isPrivate || !isOwnerOnly(acl.grants, bucket.owner)) {
      throw new S3Error('AccessControlListNotSupported');
    }
  }
  requireNotBlocked(acl, bucket, accounts);
  return acl;
}
