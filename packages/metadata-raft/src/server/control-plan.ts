import { DEFAULT_GROUP_PLAN_OPTIONS, planGroups } from '@azimuth/placement';
import type { ClusterMap, GroupPlanOptions } from '@azimuth/placement';
import type { RootCommandName, RootCommands } from '@azimuth/proto';

import type { NodeSighting } from './node-monitor';

/** A command for the root group, with the reason for the log. */
export type PlannedCommand = {
  readonly [Name in RootCommandName]: {
    readonly name: Name;
    readonly args: RootCommands[Name]['args'];
    readonly reason: string;
  };
}[RootCommandName];

export interface ControlInput {
  readonly map: ClusterMap;
  readonly sightings: ReadonlyMap<string, NodeSighting>;
  readonly nowMs: number;
  /** Since when silence counts: the election, or the end of a stall of this process. */
  readonly listeningSinceMs: number;
  readonly heartbeatTimeoutMs: number;
  /** A node that was down once must have been heard without a gap for this long. */
  readonly steadyMs: number;
}

/** A node that goes up and down is kept out for up to this long after its last gap. */
const HOLD_DOWN_MAX_MS = 60_000;
/** A node that is restarted once, by whoever cares for it, goes on at once. */
const RESTARTS_FORGIVEN = 1;

/**
 * What the root leader should do now about nodes and disks. Pure.
 *
 * C1 Silence counts from `listeningSinceMs`, so a new leader gives every node the whole time-out.
 * C2 Only heartbeats of the registered incarnation count: a process that was replaced cannot speak
 *    for its successor.
 * C3 Each time a node is marked down it must be steady for twice as long to come back: every flap
 *    moves writes to other groups and back. A node that registers anew again and again, each time
 *    before its silence is noticed, flaps as well: from the second time on it is held down.
 * C4 A node that is down since nobody knows when is marked again, or its grace would never end.
 */
export function planNodes(input: ControlInput): PlannedCommand[] {
  const { map, sightings, nowMs } = input;
  const commands: PlannedCommand[] = [];
  for (const node of map.nodes.values()) {
    const { nodeId, incarnation } = node;
    const sighting = sightings.get(nodeId);
    const isCurrent = sighting?.heartbeat.incarnation === incarnation;
    const lastSeenMs = isCurrent ? sighting.lastSeenMs : -Infinity;
    const silentMs = nowMs - Math.max(lastSeenMs, input.listeningSinceMs);
    const down = { nodeId, incarnation, state: 'down' } as const;
    if (node.state === 'up') {
      const isSilent = silentMs > input.heartbeatTimeoutMs;
      if (!isSilent && !(isCurrent && isRestarting(input, sighting))) continue;
      const reason = isSilent ? 'no heartbeat' : 'it starts again and again';
      commands.push({ name: 'SetNodeState', args: down, reason });
    } else if (isCurrent && nowMs - lastSeenMs <= input.heartbeatTimeoutMs) {
      if (lastSeenMs - sighting.steadySinceMs < holdDownMs(input, sighting)) continue;
      const args = { nodeId, incarnation, state: 'up' } as const;
      commands.push({ name: 'SetNodeState', args, reason: 'steady heartbeats' });
    } else if (node.downSinceMs === undefined) {
      const reason = 'since when it is down is not known';
      commands.push({ name: 'SetNodeState', args: down, reason });
    }
  }
  return [...commands, ...planDisks(input)];
}

/** C3. */
function isRestarting(input: ControlInput, sighting: NodeSighting): boolean {
  if (sighting.downs < RESTARTS_FORGIVEN + 1) return false;
  return sighting.lastSeenMs - sighting.steadySinceMs < holdDownMs(input, sighting);
}

/** C3. */
function holdDownMs({ steadyMs }: ControlInput, { downs }: NodeSighting): number {
  return Math.min(HOLD_DOWN_MAX_MS, steadyMs * 2 ** Math.max(0, downs - 1));
}

/** Takes over what nodes say of their disks. `fenced` and `lost` end only by registering anew. */
function planDisks({ map, sightings }: ControlInput): PlannedCommand[] {
  const commands: PlannedCommand[] = [];
  for (const { heartbeat } of sightings.values()) {
    if (map.nodes.get(heartbeat.nodeId)?.incarnation !== heartbeat.incarnation) continue;
    for (const { diskId, state } of heartbeat.disks) {
      const disk = map.disks.get(diskId);
      if (disk?.nodeId !== heartbeat.nodeId || disk.state === state) continue;
      if (disk.state === 'fenced' || disk.state === 'lost' || state === 'lost') continue;
      commands.push({
        name: 'SetDiskState',
        args: { diskId, state },
        reason: 'reported by its node',
      });
    }
  }
  return commands;
}

/** What to do about placement groups, over a map that {@link planNodes} agrees with. */
export function planPlacement(
  map: ClusterMap,
  options: Pick<GroupPlanOptions, 'isSettled' | 'nowMs' | 'nodeGraceMs'>,
): PlannedCommand[] {
  const plan = planGroups(map, {
    ...DEFAULT_GROUP_PLAN_OPTIONS,
    ...options,
    // The curator proves that a group is drained, and removes it.
    drainedGroups: new Set(),
  });
  const commands: PlannedCommand[] = [];
  if (plan.open.length > 0) {
    const groups = plan.open.map(({ group }) => group);
    const reason = plan.open[0]?.reason ?? '';
    commands.push({ name: 'OpenGroups', args: { groups }, reason });
  }
  for (const { pgId, isSealed, reason } of plan.seal) {
    commands.push({ name: 'SealGroup', args: { pgId, isSealed }, reason });
  }
  for (const { pgId, slot, targetDiskId, reason } of plan.backfill) {
    commands.push({ name: 'BeginBackfill', args: { pgId, slot, targetDiskId }, reason });
  }
  for (const { pgId, reason } of plan.remove) {
    commands.push({ name: 'RemoveGroup', args: { pgId }, reason });
  }
  return commands;
}
