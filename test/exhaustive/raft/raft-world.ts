import type { MembershipTarget } from '../../../packages/metadata-raft/src/core/membership';
import type { Entry } from '../../../packages/metadata-raft/src/core/message';

import { AS_IS, textOf } from './model-node';
import type { ModelSettings, Renaming } from './model-node';
import { NodeStates } from './node-states';
import type { NodeState, NodeStep, NumberedInput, SentMessage } from './node-states';
import { RaftHistory } from './raft-history';
import { leastOf, renamingsOf } from './symmetry';

/** How often each may happen in one run. */
export interface RaftBudget {
  readonly timeouts: number;
  readonly proposals: number;
  readonly crashes: number;
  readonly heartbeats: number;
  readonly reads: number;
  readonly changes: number;
  /** Writes that take time. */
  readonly slowWrites: number;
  readonly diskLosses: number;
}

export interface RaftBounds extends ModelSettings {
  readonly nodes: readonly string[];
  readonly budget: RaftBudget;
  /** Leads in the beginning, and everybody has its first entry; null: nobody has led yet. */
  readonly firstLeader: string | null;
  /** What a leader may change the members to. */
  readonly targets: readonly MembershipTarget[];
  /** Whose disk may be lost; null: nobody's. */
  readonly fragile: string | null;
}

/** All that was ever sent: each of it may arrive now, later, again, or never. */
interface Network {
  readonly last: SentMessage;
  readonly rest: Network | null;
  /** Of the whole. */
  readonly hash: Int32Array;
}

/** One state of a group and everything on its way between its nodes; immutable. */
export interface World {
  readonly nodes: readonly NodeState[];
  readonly network: Network | null;
  readonly history: RaftHistory;
  readonly left: RaftBudget;
  readonly cause: {
    readonly from: World;
    readonly at: number;
    readonly input: NumberedInput;
  } | null;
}

type Spent = keyof RaftBudget;

export const NOTHING_HAPPENS: RaftBudget = {
  ...{ timeouts: 0, proposals: 0, crashes: 0, heartbeats: 0, reads: 0, changes: 0, slowWrites: 0 },
  diskLosses: 0,
};
const COSTS = Object.keys(NOTHING_HAPPENS) as Spent[];
const BUDGET_BASE = 16;

/** What can happen next in a world, and what becomes of it. */
export class RaftWorlds {
  readonly #bounds: RaftBounds;
  readonly #renamings: readonly Renaming[];
  readonly #inputs: ReturnType<typeof inputsOf>;
  readonly states: NodeStates;

  constructor(bounds: RaftBounds) {
    this.#bounds = bounds;
    this.#renamings = renamingsOf(bounds.nodes).filter((rename) => isAlike(bounds, rename));
    this.states = new NodeStates(bounds, this.#renamings);
    this.#inputs = inputsOf(this.states, bounds);
  }

  /** @throws Error naming a property that does not hold at the start. */
  start(): World {
    const { nodes, budget, firstLeader } = this.#bounds;
    const world: World = {
      nodes: nodes.map((id) => this.states.start(id)),
      network: null,
      history: RaftHistory.empty(this.#renamings),
      left: budget,
      cause: null,
    };
    return firstLeader === null ? world : this.#elect(world, firstLeader);
  }

  /** The same number for worlds that differ in nothing that matters. */
  fingerprint({ nodes, network, history, left }: World): number {
    const parts = nodes.map(({ hash }) => hash);
    parts.push(history.hash);
    if (network !== null) parts.push(network.hash);
    let seed = 0;
    for (const cost of COSTS) seed = seed * BUDGET_BASE + left[cost];
    return leastOf(parts, Math.imul(seed + 1, 2654435761));
  }

  /** @throws Error naming the property that does not hold in one of them. */
  *next(world: World): Generator<World> {
    const { left, nodes } = world;
    for (let sent = world.network; sent !== null; sent = sent.rest) {
      const { message, deliveries } = sent.last;
      const at = nodes.findIndex(({ id }) => id === message.to);
      yield* this.#take(world, at, deliveries.durable, null);
      if (left.slowWrites > 0) yield* this.#take(world, at, deliveries.writing, 'slowWrites');
      if (left.crashes > 0) yield* this.#take(world, at, deliveries.dead, 'crashes');
    }
    for (const [at, node] of nodes.entries()) {
      for (const [input, cost] of this.#choices(node, left)) {
        yield* this.#take(world, at, input, cost);
      }
    }
  }

  *#choices(node: NodeState, left: RaftBudget): Generator<[NumberedInput, Spent | null]> {
    const inputs = this.#inputs;
    const isLeader = node.role === 'leader';
    if (left.crashes > 0) yield [inputs.crash, 'crashes'];
    if (left.diskLosses > 0 && node.id === this.#bounds.fragile)
      yield [inputs.loseDisk, 'diskLosses'];
    if (left.timeouts > 0 && !isLeader) yield [inputs.timeout, 'timeouts'];
    if (node.isWriting) yield [inputs.sync, null];
    if (!isLeader) return;
    if (left.heartbeats > 0) yield [inputs.heartbeat, 'heartbeats'];
    if (left.reads > 0) yield [inputs.read, 'reads'];
    const proposal = inputs.proposals[left.proposals - 1];
    if (proposal !== undefined) yield [proposal, 'proposals'];
    if (left.changes > 0) for (const change of inputs.changes) yield [change, 'changes'];
  }

  *#take(world: World, at: number, input: NumberedInput, cost: Spent | null): Generator<World> {
    const before = world.nodes[at] as NodeState;
    const step = this.states.step(before, input);
    const cause = { from: world, at, input };
    if (step.failure !== null) throw new RaftPropertyError(cause, step.failure);
    const known = step.to === before ? world.network : withoutOld(world.network, step.to);
    const network = sendAll(known, step.sent, world.nodes);
    if (step.to === before && network === world.network && cost === null) return;
    let nodes: readonly NodeState[] = world.nodes.with(at, step.to);
    if (input.input.kind === 'timeout' && this.#bounds.isPreVoting) nodes = this.#forget(nodes, at);
    const left = cost === null ? world.left : { ...world.left, [cost]: world.left[cost] - 1 };
    const history = this.#checked(world, nodes, { at, step, cause });
    yield { nodes, network, history, left, cause };
  }

  /** Nobody has heard of a leader for long enough; when, and who is first, is free. */
  #forget(nodes: readonly NodeState[], campaigner: number): readonly NodeState[] {
    return nodes.map((node, at) =>
      at === campaigner ? node : this.states.step(node, this.#inputs.forgetLeader).to,
    );
  }

  #checked(
    { history, nodes: before }: World,
    nodes: readonly NodeState[],
    { at, step, cause }: { at: number; step: NodeStep; cause: NonNullable<World['cause']> },
  ): RaftHistory {
    try {
      if (step.to.logName !== before[at]?.logName) checkLogMatching(nodes, at);
      return history.after({ ...step, wasLeader: before[at]?.role === 'leader', nodes });
    } catch (error) {
      throw new RaftPropertyError(cause, error);
    }
  }

  /** Lets everything arrive once that an election sends, and forgets that it was sent. */
  #elect(world: World, id: string): World {
    let now = world;
    const take = (at: number, input: NumberedInput): void => {
      now = this.#take(now, at, input, null).next().value ?? now;
    };
    take(
      world.nodes.findIndex((node) => node.id === id),
      this.#inputs.timeout,
    );
    const delivered = new Set<SentMessage>();
    for (;;) {
      let next: SentMessage | null = null;
      for (let sent = now.network; sent !== null; sent = sent.rest) {
        if (!delivered.has(sent.last)) next = sent.last;
      }
      if (next === null) break;
      delivered.add(next);
      const { message, deliveries } = next;
      take(
        world.nodes.findIndex((node) => node.id === message.to),
        deliveries.durable,
      );
    }
    return { ...now, network: null, left: this.#bounds.budget, cause: null };
  }
}

/** A property that does not hold, and what led there. */
export class RaftPropertyError extends Error {
  override readonly name = 'RaftPropertyError';

  constructor(cause: NonNullable<World['cause']>, error: unknown) {
    const steps: string[] = [];
    for (let at: World['cause'] = cause; at !== null; at = at.from.cause) {
      steps.unshift(`${at.from.nodes[at.at]?.id ?? ''}: ${JSON.stringify(at.input.input)}`);
    }
    super(`${error instanceof Error ? error.message : String(error)}, after\n${steps.join('\n')}`, {
      cause: error,
    });
  }
}

/** Sets of messages grow: what has arrived may arrive once more. */
function sendAll(
  network: Network | null,
  sent: readonly SentMessage[],
  nodes: readonly NodeState[],
): Network | null {
  let all = network;
  for (const message of sent) {
    const to = nodes.find(({ id }) => id === message.message.to);
    if (to === undefined || isOld(message, to)) continue;
    let each = all;
    while (each !== null && each.last !== message) each = each.rest;
    if (each === null) all = withMessage(all, message);
  }
  return all;
}

function withMessage(rest: Network | null, last: SentMessage): Network {
  return { last, rest, hash: last.hash.map((bits, at) => bits ^ (rest?.hash[at] ?? 0)) };
}

/** Leaves out what `node` will never heed again, so that worlds that differ by it only are one. */
function withoutOld(network: Network | null, node: NodeState): Network | null {
  if (network === null) return null;
  const rest = withoutOld(network.rest, node);
  if (network.last.message.to === node.id && isOld(network.last, node)) return rest;
  return rest === network.rest ? network : withMessage(rest, network.last);
}

/**
 * Of an older term than the node will ever be in again: it refuses such a message, at most telling
 * the sender of the newer term, which who leads it does as well. Or a vote that decides nothing
 * any more.
 */
function isOld({ message }: SentMessage, { durableTerm, role }: NodeState): boolean {
  if (message.term < durableTerm) return true;
  const isVote = message.type === 'RequestVoteResponse' && message.term === durableTerm;
  return isVote && role !== 'candidate';
}

/** Two logs with an entry of the same term at the same index are the same up to there. */
function checkLogMatching(nodes: readonly NodeState[], changed: number): void {
  const log = nodes[changed]?.log ?? [];
  for (const [at, { log: other, logName }] of nodes.entries()) {
    if (at === changed || logName === nodes[changed]?.logName) continue;
    let isSame = false;
    for (let index = Math.min(log.length, other.length) - 1; index >= 0; index -= 1) {
      const [a, b] = [log[index] as Entry, other[index] as Entry];
      isSame ||= a.term === b.term;
      if (isSame && textOf(a, AS_IS) !== textOf(b, AS_IS)) {
        throw new Error(`log matching: two logs differ at ${String(index + 1)}`);
      }
    }
  }
}

/** True when the nodes play the same parts from the beginning by their new names. */
function isAlike(bounds: RaftBounds, rename: Renaming): boolean {
  const { founders, firstLeader, targets, fragile } = bounds;
  if ([firstLeader, fragile].some((id) => id !== null && rename(id) !== id)) return false;
  return [founders, ...targets].every(({ voters, learners }) =>
    [voters, learners].every((ids) => ids.every((id) => ids.includes(rename(id)))),
  );
}

function inputsOf(states: NodeStates, { budget, targets }: RaftBounds) {
  return {
    timeout: states.numbered({ kind: 'timeout' }),
    forgetLeader: states.numbered({ kind: 'forget-leader' }),
    heartbeat: states.numbered({ kind: 'heartbeat' }),
    read: states.numbered({ kind: 'read' }),
    crash: states.numbered({ kind: 'crash' }),
    loseDisk: states.numbered({ kind: 'lose-disk' }),
    sync: states.numbered({ kind: 'sync' }),
    proposals: Array.from({ length: budget.proposals }, (_, left) =>
      states.numbered({ kind: 'propose', sizeBytes: budget.proposals - left }),
    ),
    changes: targets.map((target) => states.numbered({ kind: 'change', target })),
  };
}
