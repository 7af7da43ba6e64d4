import { isDeepStrictEqual } from 'node:util';

import { StoreError } from '@azimuth/common';
import {
  isToBeEmptied,
  isUnfitTarget,
  profileProblem,
  promisedNodes,
  SHARDS_PER_BLOB_MAX,
  stateAfterBackfill,
  zoneConditionProblem,
} from '@azimuth/placement';
import type { ClusterSettings, PlacementGroup, StorageNodeEntry } from '@azimuth/placement';
import type { BucketRecord, Command, RootCommandName, RootCommands } from '@azimuth/proto';

import type { CheckedStore } from './checked-store';
import type { CommandContext } from './command-context';
import type { Counters } from './counters';
import type { CommandSet } from './group-state-machine';
import {
  changeConfiguration,
  checkConfigurations,
  requireRoomForBucket,
  sizeBytesOf,
} from './bucket-configurations';
import { commitIdentities } from './commit-identities';
import { changeMetadataNodes, registerMetadataNode } from './metadata-nodes';
import { registerNode } from './register-node';
import { reportRepair, requestCensus } from './repair-record';
import { RootState } from './root-state';
import {
  addZone,
  confirmDrained,
  forgetProofs,
  removeDisk,
  removeNode,
  removeZone,
  setIntent,
} from './topology-commands';
import { WatchLog } from './watch-log';
import { withoutField } from './without-field';

type Args<Name extends RootCommandName> = RootCommands[Name]['args'];
type Result<Name extends RootCommandName> = RootCommands[Name]['result'];

type Handlers = {
  readonly [Name in RootCommandName]: (args: Args<Name>, context: CommandContext) => Result<Name>;
};

/** The commands of the root group. Every command checks first and changes then. */
export class RootCommandSet implements CommandSet {
  readonly state: RootState;
  readonly watchLog = new WatchLog();
  readonly #handlers: Handlers = {
    InitializeCluster: (args, context) => this.#initializeCluster(args, context),
    CreateBucket: (args, context) => this.#createBucket(args, context),
    SetBucketConfiguration: (args, context) => this.#setBucketConfiguration(args, context),
    CommitIdentities: (args, context) => commitIdentities(this.state, args, context),
    SetBucketVersioning: (args, context) => this.#setBucketVersioning(args, context),
    MarkBucketDeleting: (args, context) => this.#markBucketDeleting(args, context),
    RemoveBucket: (args, context) => this.#removeBucket(args, context),
    RegisterNode: (args, context) => registerNode(this.state, args, context),
    SetNodeState: (args, context) => this.#setNodeState(args, context),
    SetDiskState: (args, context) => this.#setDiskState(args, context),
    OpenGroups: (args, context) => this.#openGroups(args, context),
    SealGroup: (args, context) => this.#sealGroup(args, context),
    BeginBackfill: (args, context) => this.#beginBackfill(args, context),
    FinishBackfill: (args, context) => this.#finishBackfill(args, context),
    RemoveGroup: (args, context) => this.#removeGroup(args, context),
    SetIntent: (args, context) => setIntent(this.state, args, context),
    ConfirmDrained: (args, context) => confirmDrained(this.state, args, context),
    RemoveDisk: (args, context) => removeDisk(this.state, args, context),
    RemoveNode: (args, context) => removeNode(this.state, args, context),
    AddZone: (args, context) => addZone(this.state, args, context),
    RemoveZone: (args, context) => removeZone(this.state, args, context),
    ChangeMetadataNodes: (args, context) => changeMetadataNodes(this.state, args, context),
    RegisterMetadataNode: (args, context) => registerMetadataNode(this.state, args, context),
    AcquireLease: (args, context) => this.#acquireLease(args, context),
    ReportRepair: (args, context) => reportRepair(this.state, args, context),
    RequestCensus: (_args, context) => requestCensus(this.state, context),
  };

  constructor(records: CheckedStore, counters: Counters) {
    this.state = new RootState(records, counters, this.watchLog);
  }

  execute(command: Command, context: CommandContext): unknown {
    if (!Object.hasOwn(this.#handlers, command.name)) {
      throw new StoreError('INVALID_ARGUMENT', { command: command.name });
    }
    return this.#handlers[command.name as RootCommandName](command.args as never, context);
  }

  abandon(): void {
    // No root command brings data with it.
  }

  evict(): void {
    // Nothing expires here besides the answers of commands.
  }

  load(): Promise<void> {
    return this.state.load();
  }

  afterApply(): void {
    this.watchLog.wake();
  }

  #initializeCluster({ settings }: Args<'InitializeCluster'>, { index }: CommandContext): null {
    const existing = this.state.settings();
    if (existing !== null) {
      if (isDeepStrictEqual(existing, settings)) return null;
      throw new StoreError('ALREADY_EXISTS', { clusterId: existing.clusterId });
    }
    checkSettings(settings);
    this.state.put('settings', '', settings, index);
    return null;
  }

  #createBucket(args: Args<'CreateBucket'>, context: CommandContext): BucketRecord {
    const existing = this.state.get('bucket', args.name);
    if (existing !== null) throw new StoreError('BUCKET_EXISTS', { owner: existing.owner });
    requireRoomForBucket(this.state.count('bucket'));
    const { versioning = 'unversioned', configurations = {} } = args;
    const { counters } = this.state;
    counters.configurationBytes = checkConfigurations(
      counters.configurationBytes,
      {},
      configurations,
    );
    const bucket: BucketRecord = {
      name: args.name,
      bucketId: args.bucketId,
      createdMs: context.nowMs,
      owner: args.owner,
      versioning,
      configurations,
      deletingSinceMs: null,
      deletionMark: 0,
    };
    this.state.put('bucket', bucket.name, bucket, context.index);
    return bucket;
  }

  #setBucketConfiguration(args: Args<'SetBucketConfiguration'>, { index }: CommandContext): null {
    const bucket = this.#requireBucket(args.name, args.bucketId);
    const before = bucket.configurations;
    if ((before[args.configuration] ?? null) === args.document) return null;
    const configurations = changeConfiguration(before, args.configuration, args.document);
    const { counters } = this.state;
    counters.configurationBytes = checkConfigurations(
      counters.configurationBytes,
      before,
      configurations,
    );
    this.state.put('bucket', args.name, { ...bucket, configurations }, index);
    return null;
  }

  #setBucketVersioning(
    { name, bucketId, versioning }: Args<'SetBucketVersioning'>,
    { index }: CommandContext,
  ): null {
    const bucket = this.#requireBucket(name, bucketId);
    if (versioning === bucket.versioning) return null;
    // V-1: once configured, a bucket never is unversioned again.
    if (versioning === 'unversioned') throw new StoreError('INVALID_ARGUMENT', { versioning });
    this.state.put('bucket', name, { ...bucket, versioning }, index);
    return null;
  }

  #markBucketDeleting(
    args: Args<'MarkBucketDeleting'>,
    { nowMs, index }: CommandContext,
  ): Result<'MarkBucketDeleting'> {
    const bucket = this.#requireBucket(args.name, args.bucketId);
    const isMarked = bucket.deletingSinceMs !== null;
    const isChange = args.isDeleting ? !isMarked : isMarked && bucket.deletionMark === args.mark;
    if (!isChange) return { mark: bucket.deletionMark };
    const changed: BucketRecord = args.isDeleting
      ? { ...bucket, deletingSinceMs: nowMs, deletionMark: index }
      : { ...bucket, deletingSinceMs: null };
    this.state.put('bucket', args.name, changed, index);
    return { mark: changed.deletionMark };
  }

  #removeBucket({ name, bucketId, mark }: Args<'RemoveBucket'>, { index }: CommandContext): null {
    const bucket = this.state.get('bucket', name);
    if (bucket?.bucketId !== bucketId) return null;
    if (bucket.deletingSinceMs === null || bucket.deletionMark !== mark) {
      throw new StoreError('INVALID_ARGUMENT', { reason: 'the mark was taken back', mark });
    }
    this.state.counters.configurationBytes -= sizeBytesOf(bucket.configurations);
    this.state.delete('bucket', name, index);
    return null;
  }

  #setNodeState(args: Args<'SetNodeState'>, { nowMs, index }: CommandContext): null {
    const node = this.state.get('node', args.nodeId);
    // Meant for an earlier life of the node: nothing to do.
    if (node?.incarnation !== args.incarnation) return null;
    // A record from before it was written since when: its grace begins now, or it never would.
    const isSinceUnknown = node.state === 'down' && node.downSinceMs === undefined;
    if (node.state === args.state && !isSinceUnknown) return null;
    const entry = withoutField(node, 'downSinceMs');
    const changed: StorageNodeEntry =
      args.state === 'down'
        ? { ...entry, state: 'down', downSinceMs: nowMs }
        : { ...entry, state: 'up' };
    this.state.put('node', node.nodeId, changed, index);
    return null;
  }

  #setDiskState(args: Args<'SetDiskState'>, { index }: CommandContext): null {
    const disk = this.state.get('disk', args.diskId);
    if (disk === null) throw new StoreError('DISK_UNKNOWN', { diskId: args.diskId });
    if (disk.state === args.state) return null;
    if (disk.state === 'lost') {
      throw new StoreError('INVALID_ARGUMENT', { reason: 'a lost disk returns by registering' });
    }
    this.state.put('disk', disk.diskId, { ...disk, state: args.state }, index);
    return null;
  }

  #openGroups({ groups }: Args<'OpenGroups'>, { index }: CommandContext): Result<'OpenGroups'> {
    const map = this.state.map();
    for (const { profile, slots, zone } of groups) {
      const problem = zoneConditionProblem(map, profile, slots, zone);
      if (problem !== null) throw new StoreError('INVALID_ARGUMENT', { group: problem.kind });
    }
    const pgIds = groups.map(({ profile, slots, isReduced, zone }) => {
      this.state.counters.lastPgId += 1;
      const pgId = this.state.counters.lastPgId;
      const group = { pgId, profile, slots, isReduced, state: 'active', backfill: null } as const;
      this.#putGroup(zone === undefined ? group : { ...group, zone }, index);
      return pgId;
    });
    return { pgIds };
  }

  #sealGroup({ pgId, isSealed }: Args<'SealGroup'>, { index }: CommandContext): null {
    const group = this.#requireGroup(pgId);
    if (!isSealed && group.backfill !== null) {
      throw new StoreError('INVALID_ARGUMENT', { reason: 'the group is being backfilled', pgId });
    }
    const state = isSealed ? 'sealed' : 'active';
    if (group.state !== state) this.#putGroup({ ...group, state }, index);
    return null;
  }

  #beginBackfill(args: Args<'BeginBackfill'>, { index }: CommandContext): null {
    const { pgId, slot, targetDiskId } = args;
    const group = this.#requireGroup(pgId);
    const backfill = { slot, targetDiskId };
    if (isDeepStrictEqual(group.backfill, backfill)) return null;
    const isOther = group.backfill !== null && !this.#isRetarget(group.backfill, slot);
    if (isOther || group.slots[slot] === undefined) {
      throw new StoreError('INVALID_ARGUMENT', { reason: 'slot or backfill', pgId, slot });
    }
    const slots = group.slots.with(slot, targetDiskId);
    const problem = zoneConditionProblem(this.state.map(), group.profile, slots, group.zone);
    if (problem !== null) throw new StoreError('INVALID_ARGUMENT', { group: problem.kind, pgId });
    this.#putGroup({ ...group, state: 'sealed', backfill }, index);
    return null;
  }

  /** A backfill whose target will not take it may go on to another disk. */
  #isRetarget(backfill: NonNullable<PlacementGroup['backfill']>, slot: number): boolean {
    return backfill.slot === slot && isUnfitTarget(this.state.map(), backfill.targetDiskId);
  }

  #finishBackfill(args: Args<'FinishBackfill'>, { index }: CommandContext): null {
    const { pgId, slot, targetDiskId } = args;
    const group = this.#requireGroup(pgId);
    if (group.backfill === null && group.slots[slot] === targetDiskId) return null;
    if (!isDeepStrictEqual(group.backfill, { slot, targetDiskId })) {
      throw new StoreError('INVALID_ARGUMENT', { reason: 'another backfill or none', pgId, slot });
    }
    const slots = group.slots.with(slot, targetDiskId);
    const state = stateAfterBackfill(group);
    this.#putGroup({ ...group, slots, state, backfill: null }, index);
    return null;
  }

  #removeGroup({ pgId }: Args<'RemoveGroup'>, { index }: CommandContext): null {
    const group = this.state.get('group', String(pgId));
    if (group === null) return null;
    if (!isToBeEmptied(group) && (group.state !== 'sealed' || !group.isReduced)) {
      const reason = 'not a sealed group that is reduced or in one zone';
      throw new StoreError('INVALID_ARGUMENT', { reason, pgId });
    }
    this.state.delete('group', String(pgId), index);
    return null;
  }

  #acquireLease(args: Args<'AcquireLease'>, context: CommandContext): Result<'AcquireLease'> {
    const { name, holder, ttlMs } = args;
    const current = this.state.get('lease', name);
    const isHeldByOther =
      current !== null && current.holder !== holder && current.expiresMs > context.nowMs;
    if (isHeldByOther) return current;
    const lease = {
      name,
      holder,
      epoch: current?.holder === holder ? current.epoch : (current?.epoch ?? 0) + 1,
      expiresMs: context.nowMs + ttlMs,
    };
    this.state.put('lease', name, lease, context.index);
    return lease;
  }

  #putGroup(group: PlacementGroup, index: number): void {
    this.state.put('group', String(group.pgId), group, index);
    forgetProofs(this.state, group, index);
  }

  #requireGroup(pgId: number): PlacementGroup {
    const group = this.state.get('group', String(pgId));
    if (group === null) throw new StoreError('NOT_FOUND', { pgId });
    return group;
  }

  #requireBucket(name: string, bucketId?: string): BucketRecord {
    const bucket = this.state.get('bucket', name);
    if (bucket === null || (bucketId !== undefined && bucket.bucketId !== bucketId)) {
      throw new StoreError('BUCKET_NOT_FOUND', { name });
    }
    return bucket;
  }
}

/** @throws StoreError INVALID_ARGUMENT */
function checkSettings(settings: ClusterSettings): void {
  const { zones, indexGroups, erasureProfile, replicaProfile } = settings;
  const isPromiseKept = [erasureProfile, replicaProfile].every(
    (profile) => profileProblem(profile, zones.length, promisedNodes({ settings })) === null,
  );
  const problems = [
    new Set(zones).size !== zones.length || zones.length === 0 ? 'zones' : null,
    indexGroups < 1 || indexGroups > 256 ? 'indexGroups' : null,
    erasureProfile.k + erasureProfile.m > SHARDS_PER_BLOB_MAX ? 'erasureProfile' : null,
    replicaProfile.k !== 1 || replicaProfile.m + 1 > SHARDS_PER_BLOB_MAX ? 'replicaProfile' : null,
    settings.survive === 'zone+1' && !isPromiseKept ? 'survive' : null,
  ].filter((problem) => problem !== null);
  if (problems.length > 0) {
    throw new StoreError('INVALID_ARGUMENT', { settings: problems.join(', ') });
  }
}
