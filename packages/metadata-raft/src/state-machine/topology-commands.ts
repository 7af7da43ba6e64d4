import { isDeepStrictEqual } from 'node:util';

import { StoreError } from '@azimuth/common';
import { intentKey, isLostInZone, leavingIntent, zoneIntentProblem } from '@azimuth/placement';
import type { DiskEntry, IntentScope, PlacementGroup } from '@azimuth/placement';
import type { RootCommandName, RootCommands } from '@azimuth/proto';

import type { CommandContext } from './command-context';
import type { RootState } from './root-state';
import { withoutField } from './without-field';

type Args<Name extends RootCommandName> = RootCommands[Name]['args'];

/** Zones are few; a map with more is a mistake. */
const ZONES_MAX = 64;

/** SetIntent: an operator takes a disk, a node or a zone out of service, or puts it back. */
export function setIntent(
  state: RootState,
  { scope, name, kind, others }: Args<'SetIntent'>,
  { nowMs, index }: CommandContext,
): null {
  const key = intentKey(scope, name);
  const existing = state.get('intent', key);
  if ((existing?.kind ?? null) === kind) return null;
  const map = state.map();
  if (!isKnown(state, scope, name)) throw new StoreError('NOT_FOUND', { [scope]: name });
  const present = [...(map.intents ?? new Map<string, unknown>()).keys()]
    .filter((other) => other !== key)
    .sort();
  if (!isDeepStrictEqual(present, others)) {
    throw new StoreError('PRECONDITION_FAILED', { reason: 'other changes came first' });
  }
  const problem = zoneIntentProblem(map, { scope, name, kind });
  if (problem !== null) throw refused(problem);
  if (kind === null) {
    state.delete('intent', key, index);
    forgetDrained(state, index);
  } else {
    state.put('intent', key, { scope, name, kind, sinceMs: nowMs }, index);
  }
  return null;
}

function isKnown(state: RootState, scope: IntentScope, name: string): boolean {
  if (scope === 'zone') return state.map().settings.zones.includes(name);
  return state.get(scope, name) !== null;
}

/** A disk that is back in service gets slots again; what was proven of it holds no more. */
function forgetDrained(state: RootState, index: number): void {
  for (const disk of [...state.all('disk')]) {
    if (disk.drainedMs === undefined || leavingIntent(state.map(), disk.diskId) !== null) continue;
    state.put('disk', disk.diskId, withoutField(disk, 'drainedMs'), index);
  }
}

/** A slot on a disk that was proven to be empty: in an outage those that are leaving are used too. */
export function forgetProofs(
  state: RootState,
  { slots, backfill }: PlacementGroup,
  index: number,
): void {
  for (const diskId of backfill === null ? slots : [...slots, backfill.targetDiskId]) {
    const disk = state.get('disk', diskId);
    if (disk?.drainedMs === undefined) continue;
    state.put('disk', diskId, withoutField(disk, 'drainedMs'), index);
  }
}

/** ConfirmDrained: the curator has looked at every shard of the disk. */
export function confirmDrained(
  state: RootState,
  { diskId }: Args<'ConfirmDrained'>,
  { nowMs, index }: CommandContext,
): null {
  const disk = state.get('disk', diskId);
  if (disk === null) throw new StoreError('NOT_FOUND', { disk: diskId });
  if (disk.drainedMs !== undefined) return null;
  if (leavingIntent(state.map(), diskId) === null) throw refused('the disk is in service');
  requireNoSlot(state, disk);
  state.put('disk', diskId, { ...disk, drainedMs: nowMs }, index);
  return null;
}

export function removeDisk(
  state: RootState,
  { diskId }: Args<'RemoveDisk'>,
  { index }: CommandContext,
): null {
  const disk = state.get('disk', diskId);
  if (disk === null) return null;
  requireRemovable(state, disk);
  state.delete('disk', diskId, index);
  state.delete('intent', intentKey('disk', diskId), index);
  return null;
}

export function removeNode(
  state: RootState,
  { nodeId }: Args<'RemoveNode'>,
  { index }: CommandContext,
): null {
  const node = state.get('node', nodeId);
  if (node === null) return null;
  const disks = [...state.all('disk')].filter((disk) => disk.nodeId === nodeId);
  for (const disk of disks) requireRemovable(state, disk);
  // It would register again at its next heartbeat.
  if (node.state === 'up') throw refused('the node runs: stop it first');
  for (const { diskId } of disks) {
    state.delete('disk', diskId, index);
    state.delete('intent', intentKey('disk', diskId), index);
  }
  state.delete('node', nodeId, index);
  state.delete('intent', intentKey('node', nodeId), index);
  return null;
}

/**
 * A disk is forgotten when it is gone and nothing can be missing: it was proven to be empty, or it
 * is lost, or an operator said that it will not return; that no slot is on it means that every
 * shard of it was proven on another disk. One that is there would register again with its node.
 */
function requireRemovable(state: RootState, disk: DiskEntry): void {
  const { diskId } = disk;
  requireNoSlot(state, disk);
  if (disk.state === 'lost') return;
  if (state.get('node', disk.nodeId)?.state === 'up') {
    throw refused(`disk ${diskId} is there: stop its node, or start it without the disk`);
  }
  const kind = leavingIntent(state.map(), diskId)?.kind;
  const isGivenUp = kind === 'replace' || kind === 'retire';
  if (disk.drainedMs === undefined && !isGivenUp) {
    throw refused(`disk ${diskId} is not proven to be empty`);
  }
}

function requireNoSlot(state: RootState, { diskId }: DiskEntry): void {
  for (const group of state.all('group')) {
    const { pgId, slots, backfill } = group;
    // Of what was all in a zone that is lost nothing can be moved any more.
    if (isLostInZone(state.map(), group)) continue;
    if (slots.includes(diskId) || backfill?.targetDiskId === diskId) {
      throw refused(`group ${pgId} has a slot on disk ${diskId}`);
    }
  }
}

export function addZone(
  state: RootState,
  { zone }: Args<'AddZone'>,
  { index }: CommandContext,
): null {
  const { settings } = state.map();
  const { zones } = settings;
  if (zones.includes(zone)) return null;
  if (zones.length === 1) throw refused('the only zone of a cluster stays the only one');
  if (zones.length >= ZONES_MAX) throw refused('too many zones');
  state.put('settings', '', { ...settings, zones: [...zones, zone] }, index);
  return null;
}

export function removeZone(
  state: RootState,
  { zone }: Args<'RemoveZone'>,
  { index }: CommandContext,
): null {
  const { settings } = state.map();
  if (!settings.zones.includes(zone)) return null;
  const kind = state.get('intent', intentKey('zone', zone))?.kind;
  if (kind !== 'drain' && kind !== 'retire') throw refused('the zone is in service');
  const left = [...state.all('node')].find((node) => node.zone === zone);
  if (left !== undefined) throw refused(`node ${left.nodeId} is in the zone`);
  const zones = settings.zones.filter((other) => other !== zone);
  state.delete('intent', intentKey('zone', zone), index);
  state.put('settings', '', { ...settings, zones }, index);
  return null;
}

function refused(reason: string): StoreError {
  return new StoreError('INVALID_ARGUMENT', { reason });
}
