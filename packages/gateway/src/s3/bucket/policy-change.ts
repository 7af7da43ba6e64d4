import type { BucketRecord } from '@azimuth/proto';
import { identityName } from '@azimuth/proto';

import type { PolicyPrincipal } from '../../auth/policy/policy-principal';
import type { S3Request } from '../../http/request';
import { requireBucket } from '../bucket-access';
import type { OperationContext } from '../operation';
import { S3Error } from '../s3-error';

/**
 * The bucket of a request that is about its policy: only for identities of the owner's account,
 * whatever a policy says.
 *
 * @throws S3Error MethodNotAllowed for others, and as `requireBucket`.
 */
export async function requireOwnBucket(
  request: S3Request,
  context: OperationContext,
): Promise<BucketRecord> {
  const bucket = await requireBucket(request, context);
  if (request.principal.canonicalId !== bucket.owner) throw new S3Error('MethodNotAllowed');
  return bucket;
}

const IAM_ARN = /^arn:aws:iam::(\d{12}):(user|role)\/(?:[^/]+\/)*([^/]+)$/;
const STS_ARN = /^arn:aws:sts::(\d{12}):assumed-role\/([^/]+)\/[^/]+$/;

/** Whether there is somebody or something of that name (P-4). */
export function isKnownPrincipal(
  principal: PolicyPrincipal,
  { accounts, view }: OperationContext,
): boolean {
  switch (principal.kind) {
    case 'account':
      return accounts.byAccountId(principal.accountId) !== null;
    case 'canonical-user':
      return accounts.byCanonicalId(principal.canonicalId) !== null;
    case 'arn':
      return isKnownArn(principal.arn, view);
    default:
      return true;
  }
}

function isKnownArn(arn: string, view: OperationContext['view']): boolean {
  const session = STS_ARN.exec(arn);
  const [, accountId, kind, name] =
    session === null ? (IAM_ARN.exec(arn) ?? []) : [arn, session[1], 'role', session[2]];
  if (accountId === undefined || name === undefined) return false;
  const stored = identityName(accountId, name);
  return view.identities().get(kind === 'user' ? 'user' : 'role', stored) !== null;
}
