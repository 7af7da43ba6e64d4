import { StoreError } from '@azimuth/common';
import { encodeRecord } from '@azimuth/proto';
import type { IdentityChange, IdentityEntry, IdentityKind, RootCommands } from '@azimuth/proto';

import type { CommandContext } from './command-context';
import type { RootState } from './root-state';

type Args = RootCommands['CommitIdentities']['args'];
type Result = RootCommands['CommitIdentities']['result'];

/** Every gateway holds all identities, and the answer to its first question must fit a message. */
const IDENTITIES_MAX = 50_000;
const IDENTITIES_BYTES_MAX = 16 * 1024 * 1024;
const IDENTITY_BYTES_MAX = 256 * 1024;

/**
 * Changes identities, all or none, if they are as the caller has seen them.
 *
 * @throws StoreError PRECONDITION_FAILED with `detail.revision`; INVALID_ARGUMENT past a limit
 */
export function commitIdentities(state: RootState, args: Args, { index }: CommandContext): Result {
  const { identityRevision: revision } = state.counters;
  if (args.expectedRevision !== revision) {
    throw new StoreError('PRECONDITION_FAILED', { revision });
  }
  // A name changed twice in one command is what the last change makes of it.
  const changes = new Map(args.changes.map((change) => [recordName(change), change]));
  if (changes.size === 0) return { revision };
  const identityBytes = checkLimits(state, changes);
  for (const [name, { kind, name: entryName, record }] of changes) {
    if (record === null) state.delete('identity', name, index);
    else state.put('identity', name, { kind, name: entryName, record }, index);
  }
  state.counters.identityBytes = identityBytes;
  state.counters.identityRevision = index;
  return { revision: index };
}

/** Answers the size of all identities after the changes. @throws StoreError INVALID_ARGUMENT */
function checkLimits(state: RootState, changes: ReadonlyMap<string, IdentityChange>): number {
  let { identityBytes } = state.counters;
  let count = state.count('identity');
  for (const [name, { kind, name: entryName, record }] of changes) {
    const existing = state.get('identity', name);
    if (existing !== null) {
      identityBytes -= sizeBytesOf(existing);
      count -= 1;
    }
    if (record === null) continue;
    const sizeBytes = sizeBytesOf({ kind, name: entryName, record });
    if (sizeBytes > IDENTITY_BYTES_MAX) {
      throw new StoreError('INVALID_ARGUMENT', { limit: 'identity size', kind, sizeBytes });
    }
    identityBytes += sizeBytes;
    count += 1;
  }
  if (count > IDENTITIES_MAX) throw new StoreError('INVALID_ARGUMENT', { limit: 'identities' });
  if (identityBytes > IDENTITIES_BYTES_MAX) {
    throw new StoreError('INVALID_ARGUMENT', { limit: 'size of all identities' });
  }
  return identityBytes;
}

function recordName({
  kind,
  name,
}: {
  readonly kind: IdentityKind;
  readonly name: string;
}): string {
  return `${kind}/${name}`;
}

function sizeBytesOf(entry: IdentityEntry): number {
  return encodeRecord(entry).length;
}
