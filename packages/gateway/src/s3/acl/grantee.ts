import type { AccountDirectory } from '../../auth/accounts';
import { ANONYMOUS_CANONICAL_ID } from '../../auth/principal';
import type { Grantee } from '../access-control-list';
import { ALL_USERS_URI, AUTHENTICATED_USERS_URI, LOG_DELIVERY_URI } from '../access-control-list';
import { invalidArgument, S3Error } from '../s3-error';

/** The three ways to name a grantee, in headers and in documents. */
export type GranteeNaming = 'id' | 'uri' | 'emailAddress';

const GROUP_URIS: ReadonlySet<string> = new Set([
  ALL_USERS_URI,
  AUTHENTICATED_USERS_URI,
  LOG_DELIVERY_URI,
]);

/**
 * Finds whom a client means; an e-mail address becomes the id of its account.
 *
 * @throws S3Error InvalidArgument for an unknown id or group, UnresolvableGrantByEmailAddress.
 */
export function resolveGrantee(
  naming: GranteeNaming,
  value: string,
  accounts: AccountDirectory,
): Grantee {
  if (naming === 'uri') {
    if (GROUP_URIS.has(value)) return { type: 'group', uri: value };
    throw invalidArgument('Invalid group uri', 'Group/URI', value);
  }
  if (naming === 'emailAddress') {
    const account = accounts.byEmail(value);
    if (account !== null) return { type: 'canonical-user', canonicalId: account.canonicalId };
    throw new S3Error('UnresolvableGrantByEmailAddress');
  }
  const canonicalId = accounts.byCanonicalId(value)?.canonicalId ?? null;
  if (canonicalId !== null) return { type: 'canonical-user', canonicalId };
  // What nobody wrote has this owner, and its list must be accepted as it was read.
  if (value === ANONYMOUS_CANONICAL_ID) return { type: 'canonical-user', canonicalId: value };
  throw invalidArgument('Invalid id', 'CanonicalUser/ID', value);
}
