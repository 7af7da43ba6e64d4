import { StoreError } from '@azimuth/common';
import type { MetadataIntent, MetadataNodeEntry } from '@azimuth/proto';

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
  if (busy !== undefined) return planCancel(nodes, busy, add.length, remove);
  for (const nodeId of remove) {
    if (!nodes.some((node) => node.nodeId === nodeId)) refuse(`${nodeId} is no metadata node`);
  }
  for (const { nodeId, zone } of add) {
    const isTaken = nodes.some((node) => node.nodeId === nodeId);
    if (isTaken) refuse(`${nodeId} is a metadata node already; a new log needs a new name`);
    if (!zones.includes(zone)) refuse(`there is no zone ${zone}`);
  }
  const leaving = nodes.filter(({ nodeId }) => remove.includes(nodeId));
  const staying = nodes.filter(({ nodeId }) => !remove.includes(nodeId));
  const joining = add.map(({ nodeId, zone, host, port }) => ({
    ...{ nodeId, zone, host, port, incarnation: null },
    ...{ state: 'joining' as const, mayLead: true },
  }));
  const after = [...staying, ...joining];
  requireQuorums(nodes, staying, joining, alive);
  requireSpread(nodes, after, zones);
  return {
    put: [...joining, ...leaving.map((node) => ({ ...node, state: 'leaving' as const }))],
    remove: [],
    lines: [
      ...joining.map(({ nodeId, zone }) => `${nodeId} in zone ${zone} gets every log, then votes`),
      ...leaving.map(({ nodeId, zone }) => `${nodeId} in zone ${zone} stops voting`),
      `${nodes.length} voters become ${after.length}; ${tolerance(after)}`,
    ],
  };
}

/** Until it votes somewhere a node that joins can be taken back, and with it who was to leave. */
function planCancel(
  nodes: readonly MetadataNodeEntry[],
  busy: MetadataNodeEntry,
  addCount: number,
  remove: readonly string[],
): IntentPlan {
  const joining = nodes.filter(({ state }) => state === 'joining');
  const isCancel =
    addCount === 0 &&
    joining.length > 0 &&
    remove.length === joining.length &&
    joining.every(({ nodeId, incarnation }) => remove.includes(nodeId) && incarnation === null);
  if (!isCancel) refuse(`a change is in progress: ${busy.nodeId} is ${busy.state}`);
  return {
    put: nodes
      .filter(({ state }) => state === 'leaving')
      .map((node) => ({ ...node, state: 'voter' as const })),
    remove,
    lines: remove.map((nodeId) => `${nodeId} does not join after all`),
  };
}

/** A joint change needs both majorities; who joins is waited for, so it counts as alive. */
function requireQuorums(
  nodes: readonly MetadataNodeEntry[],
  staying: readonly MetadataNodeEntry[],
  joining: readonly MetadataNodeEntry[],
  alive: ReadonlySet<string>,
): void {
  const count = staying.length + joining.length;
  if (count === 0) refuse('no voter would be left');
  const answers = (each: readonly MetadataNodeEntry[]): number =>
    each.filter(({ nodeId }) => alive.has(nodeId)).length;
  if (answers(nodes) <= nodes.length / 2) refuse('no majority of the voters answers now');
  const left = answers(staying) + joining.length;
  if (left <= count / 2) {
    refuse(`a quorum would be lost: of ${count} voters only ${left} would answer`);
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
