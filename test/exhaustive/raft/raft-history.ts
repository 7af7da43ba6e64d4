import type { Entry } from '../../../packages/metadata-raft/src/core/message';

import { AS_IS, textOf } from './model-node';
import type { Renaming } from './model-node';
import type { NodeState, NodeStep } from './node-states';
import { fingerprintOf } from './symmetry';

interface Committed {
  readonly entry: Entry;
  /** The term in which that was known first: every leader of a later one has it. */
  readonly inTerm: number;
}

interface PendingRead {
  readonly nodeId: string;
  readonly term: number;
  readonly context: number;
  /** How much was committed, anywhere, when it began. */
  readonly committedCount: number;
}

interface Facts {
  /** By term. */
  readonly leaders: ReadonlyMap<number, string>;
  readonly committed: readonly Committed[];
  readonly reads: readonly PendingRead[];
}

type Step = NodeStep & { readonly wasLeader: boolean; readonly nodes: readonly NodeState[] };

/**
 * What has ever happened in a run, and the properties of figure 3 of the paper over it, crashes
 * included; and that no read is older than what was committed when it began. Immutable.
 */
export class RaftHistory {
  readonly #facts: Facts;
  readonly #renamings: readonly Renaming[];
  readonly hash: Int32Array;

  private constructor(facts: Facts, renamings: readonly Renaming[]) {
    this.#facts = facts;
    this.#renamings = renamings;
    this.hash = fingerprintOf(renamings, (rename) => nameOf(facts, rename));
  }

  static empty(renamings: readonly Renaming[]): RaftHistory {
    return new RaftHistory({ leaders: new Map(), committed: [], reads: [] }, renamings);
  }

  get committedCount(): number {
    return this.#facts.committed.length;
  }

  /** @throws Error naming the property that does not hold after this step. */
  after(step: Step): RaftHistory {
    const { to, applied, wasLeader } = step;
    let facts = this.#facts;
    for (const entry of applied) facts = withApplied(facts, entry, to);
    if (to.role === 'leader' && (!wasLeader || facts.leaders.get(to.term) !== to.id)) {
      facts = withLeader(facts, to);
    }
    if (facts.committed !== this.#facts.committed) {
      for (const node of step.nodes) if (node.role === 'leader') checkCompleteness(facts, node);
    }
    facts = withReads(facts, step);
    return facts === this.#facts ? this : new RaftHistory(facts, this.#renamings);
  }
}

function withApplied(facts: Facts, entry: Entry, { id, term }: NodeState): Facts {
  const { committed } = facts;
  const known = committed[entry.index - 1];
  if (known === undefined) {
    if (entry.index !== committed.length + 1) throw new Error('a gap in what is applied');
    return { ...facts, committed: [...committed, { entry, inTerm: term }] };
  }
  const [text, expected] = [textOf(entry, AS_IS), textOf(known.entry, AS_IS)];
  if (text !== expected) {
    const what = `${id} applies ${text} at ${String(entry.index)}, not ${expected}`;
    throw new Error(`state machine safety: ${what}`);
  }
  return facts;
}

function withLeader(facts: Facts, node: NodeState): Facts {
  const other = facts.leaders.get(node.term);
  if (other !== undefined && other !== node.id) {
    throw new Error(`election safety: ${node.id} and ${other} lead term ${String(node.term)}`);
  }
  checkCompleteness(facts, node);
  if (other === node.id) return facts;
  return { ...facts, leaders: new Map([...facts.leaders, [node.term, node.id]]) };
}

/** A leader has everything that was committed in an earlier term. */
function checkCompleteness({ committed }: Facts, { id, term, log }: NodeState): void {
  for (const [at, { entry, inTerm }] of committed.entries()) {
    if (inTerm < term && log[at]?.term !== entry.term) {
      const what = `${id} leads term ${String(term)} without entry ${String(at + 1)}`;
      throw new Error(`leader completeness: ${what}`);
    }
  }
}

function withReads(facts: Facts, { to, reads, readContext, wasLeader }: Step): Facts {
  let pending = facts.reads;
  if (readContext !== null) {
    const committedCount = facts.committed.length;
    pending = [...pending, { nodeId: to.id, term: to.term, context: readContext, committedCount }];
  }
  for (const { context, index } of reads) {
    const isThis = (read: PendingRead): boolean =>
      read.nodeId === to.id && read.context === context && read.term === to.term;
    const begun = pending.find(isThis);
    if (begun !== undefined && index < begun.committedCount) {
      const what = `${to.id} reads at ${String(index)}, not ${String(begun.committedCount)}`;
      throw new Error(`linearizability: ${what}`);
    }
    pending = pending.filter((read) => !isThis(read));
  }
  // Who leads no more answers no more.
  if (wasLeader && to.role !== 'leader' && pending.length > 0) {
    pending = pending.filter(({ nodeId }) => nodeId !== to.id);
  }
  return pending === facts.reads ? facts : { ...facts, reads: pending };
}

function nameOf({ leaders, committed, reads }: Facts, rename: Renaming): string {
  const led = [...leaders]
    .map(([term, id]) => `${term}${rename(id)}`)
    .sort()
    .join();
  const what = committed.map(({ entry, inTerm }) => `${inTerm}/${textOf(entry, rename)}`).join('');
  const waiting = reads.map(
    ({ nodeId, term, context, committedCount }) =>
      `${rename(nodeId)} ${term} ${context} ${committedCount}`,
  );
  return `${led}|${what}|${waiting.sort().join()}`;
}
