import { StoreError } from '@azimuth/common';
import type {
  BucketRecord,
  ClusterMapDelta,
  ClusterMapDocument,
  IdentityKind,
  RootQueries,
  RootQueryName,
  WatchResult,
} from '@azimuth/proto';

import { REPAIR_RECORD } from './repair-record';
import type { RootCommandSet } from './root-commands';
import type { RootState } from './root-state';

type Args<Name extends RootQueryName> = RootQueries[Name]['args'];
type Result<Name extends RootQueryName> = RootQueries[Name]['result'];

type Handlers = {
  readonly [Name in RootQueryName]: (state: RootState, args: Args<Name>) => Result<Name>;
};

const BUCKETS_LIMIT_MAX = 10_000;

const HANDLERS: Handlers = {
  GetBucket: (state, { name }) => state.get('bucket', name),
  ListBuckets: listBuckets,
  GetLease: (state, { name }) => state.get('lease', name),
  GetRepair: (state) => state.get('repair', REPAIR_RECORD),
};

/** @throws StoreError INVALID_ARGUMENT */
export function queryRoot<Name extends RootQueryName>(
  state: RootState,
  name: Name,
  args: Args<Name>,
): Result<Name> {
  if (!Object.hasOwn(HANDLERS, name)) throw new StoreError('INVALID_ARGUMENT', { query: name });
  return HANDLERS[name](state, args);
}

function listBuckets(state: RootState, args: Args<'ListBuckets'>): Result<'ListBuckets'> {
  const { after, prefix, limit } = args;
  if (limit < 0 || limit > BUCKETS_LIMIT_MAX) throw new StoreError('INVALID_ARGUMENT', { limit });
  const found: BucketRecord[] = [];
  for (const bucket of state.all('bucket')) {
    const isWanted = bucket.name.startsWith(prefix) && (after === null || bucket.name > after);
    if (isWanted) found.push(bucket);
  }
  // Bucket names are ASCII, where the order of strings is the order of bytes.
  found.sort((a, b) => (a.name < b.name ? -1 : 1));
  return { buckets: found.slice(0, limit), isTruncated: limit > 0 && found.length > limit };
}

/** What brings a watcher that has seen `since` to the present. */
export function watchResult(
  commands: RootCommandSet,
  { since, withIdentities }: { readonly since: number; readonly withIdentities: boolean },
): WatchResult {
  const { state, watchLog } = commands;
  const version = state.counters.mapVersion;
  if (since === version) return { kind: 'unchanged', version };
  // A version that this replica has not reached belongs to another history or an unapplied entry.
  const changed = since === 0 || since > version ? null : watchLog.since(since);
  if (changed === null || changed.has('settings')) {
    return { kind: 'full', version, map: fullDocument(state, withIdentities) };
  }
  return { kind: 'delta', version, map: delta(state, changed, withIdentities) };
}

/** @throws StoreError INVALID_ARGUMENT before InitializeCluster */
function fullDocument(state: RootState, withIdentities: boolean): ClusterMapDocument {
  const map = state.map();
  return {
    settings: map.settings,
    nodes: [...map.nodes.values()],
    disks: [...map.disks.values()],
    groups: [...map.groups.values()],
    metadataNodes: state.metadataNodes(),
    intents: [...state.all('intent')],
    buckets: [...state.all('bucket')],
    identities: withIdentities ? [...state.all('identity')] : [],
    identityRevision: state.counters.identityRevision,
  };
}

type WatchedKind = 'node' | 'disk' | 'group' | 'intent' | 'bucket' | 'identity';

function delta(
  state: RootState,
  changed: ReadonlyMap<string, ReadonlySet<string>>,
  withIdentities: boolean,
): ClusterMapDelta {
  const pick = <Kind extends WatchedKind>(kind: Kind) => {
    const names = [...(changed.get(kind) ?? [])];
    const present = names.map((name) => state.get(kind, name)).filter((each) => each !== null);
    const removed = names.filter((name) => state.get(kind, name) === null);
    return { present, removed };
  };
  const nodes = pick('node');
  const disks = pick('disk');
  const groups = pick('group');
  const intents = pick('intent');
  const buckets = pick('bucket');
  const identities = withIdentities ? pick('identity') : { present: [], removed: [] };
  return {
    nodes: nodes.present,
    removedNodes: nodes.removed,
    disks: disks.present,
    removedDisks: disks.removed,
    groups: groups.present,
    removedGroups: groups.removed.map(Number),
    metadataNodes: state.metadataNodes(),
    intents: intents.present,
    removedIntents: intents.removed,
    buckets: buckets.present,
    removedBuckets: buckets.removed,
    identities: identities.present,
    removedIdentities: identities.removed.map(identityOf),
    identityRevision: state.counters.identityRevision,
  };
}

/** Kind and name of an identity by the name of its record. */
function identityOf(recordName: string): ClusterMapDelta['removedIdentities'][number] {
  const slash = recordName.indexOf('/');
  return {
    kind: recordName.slice(0, slash) as IdentityKind,
    name: recordName.slice(slash + 1),
  };
}
