import type { GroupMembership, MetadataNodeEntry } from '@azimuth/proto';

/** What the leader of a group says of it. */
export interface GroupView {
  readonly group: string;
  readonly leader: string;
  readonly commitIndex: number;
  readonly membership: GroupMembership;
}

/** One step towards what the operator wants, with the reason for the log. */
export type MetadataStep = { readonly reason: string } & (
  | {
      readonly kind: 'members';
      readonly group: string;
      readonly expectedIndex: number;
      readonly voters: readonly string[];
      readonly learners: readonly string[];
    }
  | { readonly kind: 'lead'; readonly group: string; readonly target: string }
  | {
      readonly kind: 'nodes';
      readonly put: readonly MetadataNodeEntry[];
      readonly remove: readonly string[];
    }
);

export interface MetadataPlanInput {
  readonly nodes: readonly MetadataNodeEntry[];
  /** Of the groups that have a leader that answered. */
  readonly groups: readonly GroupView[];
  /** How many groups there are in all. */
  readonly groupCount: number;
  /** No leader has changed for a while: they may be evened out. */
  readonly isSteady: boolean;
}

/** A new voter may be this far behind; the leader of the group has the last word. */
const BEHIND_MAX = 1_024;

/**
 * What the root leader should do now about members and leaders of the groups. Pure.
 *
 * P1 Each group takes one step at a time, from the configuration that its leader reports: learner,
 *    then one joint change in which all who join begin and all who leave stop to vote. So wherever
 *    the groups stand when an operator changes his mind, each finds its way from there.
 * P2 The record of a change is closed when every group has been seen in its end.
 * P3 Leaders move at once away from where they shall not be. They are evened out only when nothing
 *    else happens, one at a time, and only where a move makes nodes more even, or zones more even
 *    and nodes no less: so moves come to an end, and nothing moves back.
 */
export function planMetadata(input: MetadataPlanInput): MetadataStep[] {
  const changes = input.groups
    .map((group) => nextMembers(input.nodes, group))
    .filter((step) => step !== null);
  if (changes.length > 0) return changes;
  const end = endOfChange(input);
  if (end !== null) return [end];
  const away = input.groups.map((group) => moveAway(input, group)).filter((step) => step !== null);
  if (away.length > 0) return away;
  const even = input.isSteady ? evenOut(input) : null;
  return even === null ? [] : [even];
}

/** The voters that every group is to have. */
function votersToBe(nodes: readonly MetadataNodeEntry[]): string[] {
  return nodes.filter(({ state }) => state !== 'leaving').map(({ nodeId }) => nodeId);
}

function nextMembers(nodes: readonly MetadataNodeEntry[], view: GroupView): MetadataStep | null {
  const { group, membership } = view;
  const { voters, learners, configurationIndex: expectedIndex, isSettled } = membership;
  const target = votersToBe(nodes);
  if (!isSettled || target.length === 0) return null;
  const step = { kind: 'members' as const, group, expectedIndex };
  if (isSameSet(voters, target)) {
    if (learners.length === 0) return null;
    return { ...step, voters, learners: [], reason: 'who was to join does not' };
  }
  const newcomers = target.filter((nodeId) => !voters.includes(nodeId));
  // A node that never said which log it has may not run yet.
  const isKnown = (nodeId: string): boolean =>
    nodes.some((node) => node.nodeId === nodeId && node.incarnation !== null);
  if (!newcomers.every(isKnown)) return null;
  if (!isSameSet(learners, newcomers)) {
    return { ...step, voters, learners: newcomers, reason: 'new nodes get the log' };
  }
  if (!newcomers.every((nodeId) => isCaughtUp(view, nodeId))) return null;
  return { ...step, voters: target, learners: [], reason: 'all who are to vote have the log' };
}

function endOfChange({ nodes, groups, groupCount }: MetadataPlanInput): MetadataStep | null {
  const isChanging = nodes.some(({ state }) => state !== 'voter');
  const target = votersToBe(nodes);
  const isDone = groups.every(
    ({ membership: { isSettled, voters, learners } }) =>
      isSettled && isSameSet(voters, target) && learners.length === 0,
  );
  if (!isChanging || groups.length < groupCount || !isDone) return null;
  return {
    kind: 'nodes',
    put: nodes
      .filter(({ state }) => state === 'joining')
      .map((node) => ({ ...node, state: 'voter' as const })),
    remove: nodes.filter(({ state }) => state === 'leaving').map(({ nodeId }) => nodeId),
    reason: 'every group has its new voters',
  };
}

function moveAway(input: MetadataPlanInput, view: GroupView): MetadataStep | null {
  const leader = input.nodes.find(({ nodeId }) => nodeId === view.leader);
  if (leader === undefined || (leader.mayLead && leader.state !== 'leaving')) return null;
  const target = emptiest(input, view);
  if (target === null) return null;
  const reason = `no leader shall be on ${leader.nodeId}`;
  return { kind: 'lead', group: view.group, target: target.nodeId, reason };
}

function evenOut(input: MetadataPlanInput): MetadataStep | null {
  if (input.groups.length < input.groupCount) return null;
  for (const view of input.groups) {
    const from = input.nodes.find(({ nodeId }) => nodeId === view.leader);
    const target = emptiest(input, view);
    if (from === undefined || target === null) continue;
    const ofNodes = leadersOn(input, from.nodeId) - leadersOn(input, target.nodeId);
    const ofZones = leadersIn(input, from.zone) - leadersIn(input, target.zone);
    if (ofNodes < 2 && !(ofZones >= 2 && ofNodes >= 1)) continue;
    const reason = `${from.nodeId} leads ${ofNodes} groups more than ${target.nodeId}`;
    return { kind: 'lead', group: view.group, target: target.nodeId, reason };
  }
  return null;
}

/** The voter that may lead and has the log: the node, and then the zone, with fewest leaders. */
function emptiest(input: MetadataPlanInput, view: GroupView): MetadataNodeEntry | null {
  const fit = input.nodes.filter(
    ({ nodeId, mayLead, state }) =>
      mayLead &&
      state === 'voter' &&
      nodeId !== view.leader &&
      view.membership.voters.includes(nodeId) &&
      isCaughtUp(view, nodeId),
  );
  const order = (a: MetadataNodeEntry, b: MetadataNodeEntry): number =>
    leadersOn(input, a.nodeId) - leadersOn(input, b.nodeId) ||
    leadersIn(input, a.zone) - leadersIn(input, b.zone);
  return fit.sort(order)[0] ?? null;
}

function leadersOn({ groups }: MetadataPlanInput, nodeId: string): number {
  return groups.filter(({ leader }) => leader === nodeId).length;
}

function leadersIn(input: MetadataPlanInput, zone: string): number {
  return input.nodes
    .filter((node) => node.zone === zone)
    .reduce((sum, { nodeId }) => sum + leadersOn(input, nodeId), 0);
}

function isCaughtUp({ membership, commitIndex }: GroupView, nodeId: string): boolean {
  return membership.members.some(
    (member) =>
      member.nodeId === nodeId && member.isAlive && member.matchIndex + BEHIND_MAX >= commitIndex,
  );
}

function isSameSet(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((id) => b.includes(id));
}
