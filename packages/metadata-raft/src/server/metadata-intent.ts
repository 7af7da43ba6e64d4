import { StoreError } from '@azimuth/common';
import type { MetadataIntent, MetadataNodeAddress, MetadataNodeEntry } from '@azimuth/proto';

/** What an intent does to the record, and what to tell the operator. */
export interface IntentPlan {
  readonly put: readonly MetadataNodeEntry[];
  readonly remove: readonly string[];
  readonly lines: readonly string[];
}

/**
 * What `intent` means for the metadata nodes there are. Pure.
 *
 * @param alive the nodes that answer now
 * @param zones of the cluster
 * @throws StoreError INVALID_ARGUMENT (`reason`) for what would cost a quorum, or break itself
 */
export function planIntent(
  nodes: readonly MetadataNodeEntry[],
  intent: MetadataIntent,
  alive: ReadonlySet<string>,
  zones: readonly string[],
): IntentPlan {
  return intent.kind === 'lead' ? planLead(nodes, intent) : planChange(nodes, intent, alive, zones);
}

function planLead(
  nodes: readonly MetadataNodeEntry[],
  { nodeId, zone, mayLead }: Extract<MetadataIntent, { kind: 'lead' }>,
): IntentPlan {
  const isMeant = (node: MetadataNodeEntry): boolean =>
    node.nodeId === nodeId || node.zone === zone;
  const meant = nodes.filter(isMeant);
  if (meant.length === 0) refuse('no such metadata node or zone');
  const isAnyLeft = nodes.some((node) => (isMeant(node) ? mayLead : node.mayLead));
  if (!isAnyLeft) refuse('no metadata node would be left that may lead');
  const put = meant.map((node) => ({ ...node, mayLead }));
  const lines = meant.map((node) =>
    mayLead ? `${node.nodeId} may lead again` : `leaders move away from ${node.nodeId}`,
  );
  return { put, remove: [], lines };
}

function planChange(
  nodes: readonly MetadataNodeEntry[],
  { add, remove }: Extract<MetadataIntent, { kind: 'change' }>,
  alive: ReadonlySet<string>,
  zones: readonly string[],
): IntentPlan {
  const busy = nodes.find(({ state }) => state !== 'voter');
  if (isUnderWay(nodes, add, remove)) return { put: [], remove: [], lines: ['is under way'] };
  if (busy !== undefined) {
    if (isTakenBack(nodes, add.length, remove)) return planCancel(nodes, remove);
    // Another node in the place of one: that is how a node goes which can never join any more.
    if (add.length !== remove.length) {
      refuse(`a change is in progress: ${busy.nodeId} is ${busy.state}`);
    }
  }
  requireNames(nodes, add, remove, zones);
  const decided = nodes.filter(({ state }) => state !== 'leaving');
  const leaving = decided.filter(({ nodeId }) => remove.includes(nodeId));
  const staying = decided.filter(({ nodeId }) => !remove.includes(nodeId));
  const joining = add.map(({ nodeId, zone, host, port }) => ({
    ...{ nodeId, zone, host, port, incarnation: null },
    ...{ state: 'joining' as const, mayLead: true },
  }));
  const after = [...staying, ...joining];
  requireQuorums(nodes, after, alive);
  requireSpread(decided, after, zones);
  return {
    put: [...joining, ...leaving.filter(isKnown).map(leave)],
    remove: leaving.filter((node) => !isKnown(node)).map(({ nodeId }) => nodeId),
    lines: [
      ...joining.map(({ nodeId, zone }) => `${nodeId} in zone ${zone} gets every log, then votes`),
      ...leaving.map(leavingLine),
      `${decided.length} voters become ${after.length}; ${tolerance(after)}`,
    ],
  };
}

/** Not so of a node that never said which log it has: no group has heard of it. */
function isKnown({ state, incarnation }: MetadataNodeEntry): boolean {
  return state !== 'joining' || incarnation !== null;
}

function leave(node: MetadataNodeEntry): MetadataNodeEntry {
  return { ...node, state: 'leaving' };
}

function leavingLine({ nodeId, zone, state }: MetadataNodeEntry): string {
  return state === 'joining'
    ? `${nodeId} does not join after all`
    : `${nodeId} in zone ${zone} stops voting`;
}

function requireNames(
  nodes: readonly MetadataNodeEntry[],
  add: readonly MetadataNodeAddress[],
  remove: readonly string[],
  zones: readonly string[],
): void {
  for (const nodeId of remove) {
    const node = nodes.find((each) => each.nodeId === nodeId);
    if (node === undefined) refuse(`${nodeId} is no metadata node`);
    if (node.state === 'leaving') refuse(`${nodeId} is leaving already`);
  }
  for (const { nodeId, zone } of add) {
    const isTaken = nodes.some((node) => node.nodeId === nodeId);
    if (isTaken) refuse(`${nodeId} is a metadata node already; a new log needs a new name`);
    if (!zones.includes(zone)) refuse(`there is no zone ${zone}`);
  }
}

/** The same, asked for again: whoever asked may not have heard the answer. */
function isUnderWay(
  nodes: readonly MetadataNodeEntry[],
  add: readonly MetadataNodeAddress[],
  remove: readonly string[],
): boolean {
  const changing = nodes.filter(({ state }) => state !== 'voter');
  const isAdded = ({ nodeId, zone, host, port, state }: MetadataNodeEntry): boolean =>
    state === 'joining' &&
    add.some(
      (each) =>
        each.nodeId === nodeId && each.zone === zone && each.host === host && each.port === port,
    );
  return (
    changing.length > 0 &&
    changing.length === add.length + remove.length &&
    changing.every((node) =>
      node.state === 'leaving' ? remove.includes(node.nodeId) : isAdded(node),
    )
  );
}

/** All who were to join, and nobody else, are to go. */
function isTakenBack(
  nodes: readonly MetadataNodeEntry[],
  addCount: number,
  remove: readonly string[],
): boolean {
  const joining = nodes.filter(({ state }) => state === 'joining');
  return (
    addCount === 0 &&
    joining.length > 0 &&
    remove.length === joining.length &&
    joining.every(({ nodeId }) => remove.includes(nodeId))
  );
}

/**
 * Who was to join goes, and who was to leave stays. Groups that had gone on already come back: who
 * stays is a learner there first, for it has missed what was written without it.
 */
function planCancel(nodes: readonly MetadataNodeEntry[], remove: readonly string[]): IntentPlan {
  const joining = nodes.filter(({ state }) => state === 'joining');
  const back = nodes
    .filter(({ state }) => state === 'leaving')
    .map((node) => ({ ...node, state: 'voter' as const }));
  return {
    put: [...back, ...joining.filter(isKnown).map(leave)],
    remove: joining.filter((node) => !isKnown(node)).map(({ nodeId }) => nodeId),
    lines: [
      ...remove.map((nodeId) => `${nodeId} does not join after all`),
      ...back.map(({ nodeId }) => `${nodeId} stays`),
    ],
  };
}

/**
 * A joint change needs both majorities; who joins is waited for, so it counts as alive. Who leaves
 * and is gone is missed only by groups that have not let go of it yet, and their leaders know.
 */
function requireQuorums(
  before: readonly MetadataNodeEntry[],
  after: readonly MetadataNodeEntry[],
  alive: ReadonlySet<string>,
): void {
  if (after.length === 0) refuse('no voter would be left');
  const voters = before.filter(
    ({ nodeId, state }) => state === 'voter' || (state === 'leaving' && alive.has(nodeId)),
  );
  const answers = voters.filter(({ nodeId }) => alive.has(nodeId)).length;
  if (answers <= voters.length / 2) refuse('no majority of the voters answers now');
  const left = after.filter(({ nodeId, state }) => alive.has(nodeId) || state === 'joining').length;
  if (left <= after.length / 2) {
    refuse(`a quorum would be lost: of ${after.length} voters only ${left} would answer`);
  }
}

function requireSpread(
  before: readonly MetadataNodeEntry[],
  after: readonly MetadataNodeEntry[],
  zones: readonly string[],
): void {
  if (zones.length < 2) return;
  const [zone, share] = fullestZone(after);
  const isWorse = share > 1 / 2 && share > fullestZone(before)[1];
  if (isWorse) refuse(`zone ${zone} would hold a majority of the voters`);
}

function fullestZone(nodes: readonly MetadataNodeEntry[]): [zone: string, share: number] {
  const zones = [...new Set(nodes.map(({ zone }) => zone))].map((zone): [string, number] => [
    zone,
    nodes.filter((node) => node.zone === zone).length / nodes.length,
  ]);
  return zones.sort(([, a], [, b]) => b - a)[0] ?? ['', 0];
}

function tolerance(voters: readonly MetadataNodeEntry[]): string {
  const count = Math.floor((voters.length - 1) / 2);
  const even = voters.length % 2 === 0 ? ', no more than one voter fewer would' : '';
  return `they tolerate the loss of ${count}${even}`;
}

function refuse(reason: string): never {
  throw new StoreError('INVALID_ARGUMENT', { reason });
}
