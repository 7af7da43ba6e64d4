import type { ClusterView, IdentitySnapshot } from '@azimuth/clients';

/** An account as owners and grantees are shown. */
export interface Account {
  readonly accountId: string;
  readonly canonicalId: string;
  readonly displayName: string;
  readonly email: string;
  /** Block Public Access of the whole account as JSON; null when none was put. */
  readonly publicAccessBlock: string | null;
}

/** The accounts of the cluster by each of their names. */
export interface AccountDirectory {
  byAccountId(accountId: string): Account | null;
  byCanonicalId(canonicalId: string): Account | null;
  byEmail(email: string): Account | null;
}

interface AccountIndex {
  readonly byAccountId: ReadonlyMap<string, Account>;
  readonly byCanonicalId: ReadonlyMap<string, Account>;
  readonly byEmail: ReadonlyMap<string, Account>;
}

/**
 * The accounts that the view knows, and the one that owns the cluster, which exists from the start:
 * a record under its id adds to it what was configured later.
 */
export function accountDirectory(
  view: Pick<ClusterView, 'identities'>,
  clusterAccount: Pick<Account, 'accountId' | 'canonicalId' | 'displayName'>,
): AccountDirectory {
  const root: Account = { ...clusterAccount, email: '', publicAccessBlock: null };
  let indexed: { readonly snapshot: IdentitySnapshot; readonly index: AccountIndex } | null = null;
  const index = (): AccountIndex => {
    const snapshot = view.identities();
    if (indexed?.snapshot !== snapshot) indexed = { snapshot, index: indexOf(snapshot, root) };
    return indexed.index;
  };
  return {
    byAccountId: (accountId) => index().byAccountId.get(accountId) ?? null,
    byCanonicalId: (canonicalId) => index().byCanonicalId.get(canonicalId) ?? null,
    byEmail: (email) => index().byEmail.get(email.toLowerCase()) ?? null,
  };
}

function indexOf(snapshot: IdentitySnapshot, root: Account): AccountIndex {
  const accounts: Account[] = [root, ...snapshot.list('account', '')];
  return {
    byAccountId: new Map(accounts.map((account) => [account.accountId, account])),
    byCanonicalId: new Map(accounts.map((account) => [account.canonicalId, account])),
    byEmail: new Map(
      accounts
        .filter(({ email }) => email !== '')
        .map((account) => [account.email.toLowerCase(), account]),
    ),
  };
}
