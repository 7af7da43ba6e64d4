import { hasCode } from '@azimuth/common';
import type { AccountRecord } from '@azimuth/proto';

import type { Account } from '../../auth/accounts';
import type { S3Request } from '../../http/request';
import { commitIdentities } from '../../iam/identity-commit';
import type { PublicAccessBlock } from '../bucket-configuration';
import type { OperationContext } from '../operation';
import { invalidArgument, S3Error } from '../s3-error';

/**
 * The account that a request of S3 Control is about, which is the caller's own.
 *
 * @throws S3Error InvalidArgument, AccessDenied.
 */
export function requireAccount(
  { headers, principal }: S3Request,
  context: OperationContext,
): Account {
  const name = 'x-amz-account-id';
  const accountId = headers.get(name) ?? '';
  if (!/^\d{12}$/.test(accountId)) throw invalidArgument('Invalid account id', name, accountId);
  const account = context.accounts.byAccountId(accountId);
  if (account === null || accountId !== principal.accountId) throw new S3Error('AccessDenied');
  return account;
}

/** P-5: puts or, with null, removes what holds for all buckets of an account. */
export async function changeAccountBlock(
  account: Account,
  block: PublicAccessBlock | null,
  { signal }: S3Request,
  context: OperationContext,
): Promise<void> {
  const { accountId, canonicalId, displayName, email } = account;
  const { metadata, view, clock } = context;
  const publicAccessBlock = block === null ? null : JSON.stringify(block);
  try {
    await commitIdentities(
      (snapshot) => {
        // The account that owns the cluster has no record until something is known of it.
        const record: AccountRecord = snapshot.get('account', accountId) ?? {
          accountId,
          canonicalId,
          displayName,
          email,
          createdMs: clock.wallMs(),
          isDeclared: false,
          publicAccessBlock: null,
        };
        if (record.publicAccessBlock === publicAccessBlock) return { changes: [] };
        const changed = { ...record, publicAccessBlock };
        return { changes: [{ kind: 'account', name: accountId, record: changed }] };
      },
      { metadata, view, clock, signal },
    );
  } catch (error) {
    if (!hasCode(error, 'PRECONDITION_FAILED')) throw error;
    throw new S3Error('OperationAborted', {}, { cause: error });
  }
}
