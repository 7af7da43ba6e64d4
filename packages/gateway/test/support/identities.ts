import { IdentityTable } from '@azimuth/clients';
import type { IdentityChange, IdentityEntry } from '@azimuth/proto';

/** The identities after some changes, in order. */
export function identitiesOf(changes: readonly IdentityChange[], revision = 1): IdentityTable {
  const entries = new Map<string, IdentityEntry>();
  for (const { kind, name, record } of changes) {
    if (record === null) entries.delete(`${kind}/${name}`);
    else entries.set(`${kind}/${name}`, { kind, name, record });
  }
  return IdentityTable.of(revision, entries.values());
}
