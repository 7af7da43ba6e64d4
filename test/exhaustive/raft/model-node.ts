import { assert } from '@azimuth/common';
import type { Random } from '@azimuth/common';

import { DEFAULT_RAFT_CONFIG } from '../../../packages/metadata-raft/src/core/config';
import type { RaftConfig } from '../../../packages/metadata-raft/src/core/config';
import {
  decodeConfiguration,
  isConfigurationEntry,
} from '../../../packages/metadata-raft/src/core/configuration-entry';
import { staticConfiguration } from '../../../packages/metadata-raft/src/core/membership';
import type { MembershipTarget } from '../../../packages/metadata-raft/src/core/membership';
import type { Entry, Message } from '../../../packages/metadata-raft/src/core/message';
import { RaftNode } from '../../../packages/metadata-raft/src/core/raft-node';
import type { Ready, ReadState } from '../../../packages/metadata-raft/src/core/ready';
import { MemoryGroupLog } from '../../../packages/metadata-raft/src/log/memory-log';

/** Who founds the group, and how its nodes work. */
export interface ModelSettings {
  readonly founders: MembershipTarget;
  /** A node asks before it campaigns, and refuses votes while it hears of a leader. */
  readonly isPreVoting: boolean;
}

/** What can happen to one node. */
export type NodeInput =
  | {
      readonly kind:
        'timeout' | 'forget-leader' | 'heartbeat' | 'read' | 'crash' | 'sync' | 'lose-disk';
    }
  | { readonly kind: 'propose'; readonly sizeBytes: number }
  | { readonly kind: 'change'; readonly target: MembershipTarget }
  | { readonly kind: 'deliver'; readonly message: Message; readonly then: AfterDelivery };

/**
 * What the disk makes of a message: all is durable at once; or it takes until `sync`, and more may
 * happen meanwhile; or the node dies before, when what promises nothing has left.
 */
export type AfterDelivery = 'durable' | 'writing' | 'dead';

/** What a node did at one input. */
export interface NodeOutput {
  readonly sent: readonly Message[];
  readonly applied: readonly Entry[];
  readonly reads: readonly ReadState[];
  /** Of a read that was begun; null for everything else, and when it was refused. */
  readonly readContext: number | null;
}

/** Renames nodes, for states that differ in nothing but who is who. */
export type Renaming = (id: string) => string;
export const AS_IS: Renaming = (id) => id;

const TIMEOUT_TICKS = 2;
/** No node ever campaigns because of a tick: when it does is for the explorer to say. */
const CONFIG: RaftConfig = {
  ...DEFAULT_RAFT_CONFIG,
  heartbeatTicks: 1,
  // Figure 8 of the paper needs an old entry to arrive without those that follow it.
  appendEntriesMax: 1,
  electionTimeoutTicksMin: 1_000,
  electionTimeoutTicksMax: 2_000,
};
const LONGEST: Random = {
  next: () => 0.999,
  below: (limit) => limit - 1,
  bytes: (count) => Buffer.alloc(count),
};

/** Above every other random number that the core draws. */
const NONCE_MIN = 10_000;

/** The real core of one node over a log in memory. */
export class ModelNode {
  readonly id: string;
  readonly #settings: ModelSettings;
  #log = new MemoryGroupLog();
  /** Names the starts that a node which lost its disk tells apart. */
  #losses = 0;
  #core: RaftNode;
  /** What is being written; a crash loses it. */
  #writing: Ready | null = null;

  constructor(id: string, settings: ModelSettings) {
    this.id = id;
    this.#settings = settings;
    this.#core = this.#open();
  }

  get core(): RaftNode {
    return this.#core;
  }

  /** The durable log; index 1 comes first. */
  get entries(): readonly Entry[] {
    return this.#log.entries(1, this.#log.lastIndex() + 1, Number.MAX_SAFE_INTEGER);
  }

  get durableTerm(): number {
    return this.#log.hardState().currentTerm;
  }

  get isWriting(): boolean {
    return this.#writing !== null;
  }

  /** @throws AssertionError when the core finds that something cannot be. */
  handle(input: NodeInput): NodeOutput {
    const sent: Message[] = [];
    const readContext = this.#step(input, sent);
    sent.push(...this.#core.takeMessages());
    while (this.#writing === null && this.#core.hasReady) {
      this.#beginWrite(sent);
      if (input.kind !== 'deliver' || input.then !== 'writing') this.#endWrite(sent);
    }
    const applied = this.#core.committedEntries(Number.MAX_SAFE_INTEGER);
    for (const { index, term } of applied) {
      assert(this.#log.term(index) === term, 'an entry is applied that is not durable here');
      this.#core.applied(index);
    }
    return { sent, applied, reads: this.#core.takeReadStates(), readContext };
  }

  /** Everything that decides what the node does next. */
  fingerprint(rename: Renaming): string {
    const { state } = this.#core;
    const { log } = state;
    const durable = this.#log.hardState();
    const optional = (id: string | null): string => (id === null ? '-' : rename(id));
    let text = `${rename(this.id)} ${state.role} ${state.currentTerm} ${optional(state.votedFor)}`;
    text += ` ${optional(state.leaderId)} ${log.commitIndex} ${state.termStartIndex}`;
    text += ` ${durable.currentTerm} ${optional(durable.votedFor)}`;
    text += ` ${String(state.settledConfigurationIndex)} ${state.lastReadContext}`;
    text += ` ${state.repairIndex} ${durable.repairIndex} ${String(durable.isRejoining)}`;
    if (state.repairIndex > 0) {
      text += ` ${state.rejoinNonce} ${state.repairTerm} ${state.agreedIndex}`;
    }
    text += '|';
    text += textsOf(this.entries, rename);
    if (state.role === 'candidate' || state.role === 'preCandidate') {
      const votes = [...state.votes].map(([id, isGranted]) => rename(id) + String(isGranted));
      text += `|${votes.sort().join()}`;
    }
    text += '|';
    const progress = [...state.progress].map(([id, of]) => {
      const isActive = `${String(of.isRecentlyActive)} ${String(of.wasRecentlyActive)}`;
      const sentTo = `${String(of.isPaused)} ${of.inflightCount} ${isActive}`;
      const readmission = `${of.rejoinNonce} ${of.readmitIndex}`;
      return `${rename(id)} ${of.state} ${of.matchIndex} ${of.nextIndex} ${sentTo} ${readmission}`;
    });
    text += progress.sort().join();
    for (const { context, index, confirmedBy } of state.pendingReads) {
      text += `|${context} ${index} ${[...confirmedBy].map(rename).sort().join()}`;
    }
    text += `|${state.readQuorum.map(rename).sort().join()}`;
    if (this.#settings.isPreVoting) {
      text += `|${Math.min(state.electionElapsedTicks, TIMEOUT_TICKS)}`;
    }
    return this.#writing === null ? text : text + this.#unwritten(this.#writing, rename);
  }

  /** What is not durable yet, and what waits for it. */
  #unwritten(writing: Ready, rename: Renaming): string {
    const { log, ready } = this.#core.state;
    const tail = log.slice(log.stableIndex + 1, log.lastIndex + 1, 1e9, 1e9);
    let text = `|${log.stableIndex} ${textsOf(tail, rename)}|`;
    text += namesOf(ready.messagesAfterSync, rename);
    const { hardState, entries, messagesAfterSync } = writing;
    text += `|${JSON.stringify(hardState)} ${textsOf(entries, rename)}|`;
    return text + namesOf(messagesAfterSync, rename);
  }

  #step(input: NodeInput, sent: Message[]): number | null {
    const core = this.#core;
    switch (input.kind) {
      case 'timeout':
        this.#timeOut();
        break;
      case 'forget-leader':
        if (core.role !== 'leader') this.#forgetLeader();
        break;
      case 'heartbeat':
        core.tick();
        break;
      case 'crash':
        this.#restart();
        break;
      case 'lose-disk':
        this.#loseDisk();
        break;
      case 'sync':
        this.#endWrite(sent);
        break;
      case 'propose':
        core.propose(Buffer.alloc(input.sizeBytes));
        break;
      case 'change':
        core.changeMembership(input.target);
        break;
      case 'read': {
        const context = core.readIndex();
        return typeof context === 'number' ? context : null;
      }
      case 'deliver':
        core.step(input.message);
        if (input.then !== 'dead') break;
        sent.push(...core.takeMessages());
        this.#restart();
    }
    return null;
  }

  /** Without pre-votes it campaigns as if it had been asked to: nobody is polite then. */
  #timeOut(): void {
    const core = this.#core;
    if (this.#settings.isPreVoting) {
      this.#forgetLeader();
      core.campaign();
    } else {
      core.step({ type: 'TimeoutNow', from: this.id, to: this.id, term: core.term });
    }
  }

  #forgetLeader(): void {
    for (let n = 0; n < TIMEOUT_TICKS; n += 1) this.#core.tick();
  }

  #beginWrite(sent: Message[]): void {
    assert(this.#writing === null);
    this.#writing = this.#core.ready();
    sent.push(...this.#writing.messages);
  }

  #endWrite(sent: Message[]): void {
    assert(this.#writing !== null);
    const { hardState, snapshot, entries, messagesAfterSync } = this.#writing;
    this.#writing = null;
    this.#log.apply({ group: 'g', hardState, snapshot, entries });
    this.#core.advance();
    sent.push(...messagesAfterSync);
  }

  /** The process dies, with all that was not durable, and starts again. */
  #restart(): void {
    this.#writing = null;
    this.#core = this.#open();
  }

  /** It comes back with an empty disk and under its name. */
  #loseDisk(): void {
    this.#losses += 1;
    this.#log = new MemoryGroupLog();
    const hardState = { currentTerm: 0, votedFor: null, repairIndex: 1, isRejoining: true };
    this.#log.apply({ group: 'g', hardState, snapshot: null, entries: [] });
    this.#restart();
  }

  #open(): RaftNode {
    const { founders, isPreVoting } = this.#settings;
    const timeout = { electionTimeoutTicksMin: TIMEOUT_TICKS };
    return new RaftNode({
      ...{ id: this.id, log: this.#log, lastApplied: 0 },
      random: { ...LONGEST, below: (limit) => Math.min(limit - 1, NONCE_MIN + this.#losses) },
      config: isPreVoting ? { ...CONFIG, ...timeout } : CONFIG,
      configuration: staticConfiguration(founders.voters, founders.learners),
      hardState: this.#log.hardState(),
    });
  }
}

/** Commands differ by their length, configurations by what they say. */
export function textOf({ term, data }: Entry, rename: Renaming): string {
  if (!isConfigurationEntry(data)) return `${term}:${String(data.length)} `;
  const { voters, outgoing, learners } = decodeConfiguration(data);
  const sets = [voters, outgoing ?? [], learners].map((ids) => [...ids].map(rename).sort().join());
  return `${term}:${sets.join('/')} `;
}

export function textsOf(entries: readonly Entry[], rename: Renaming): string {
  return entries.map((entry) => textOf(entry, rename)).join('');
}

/** As a set, because a message that is sent twice says no more. */
function namesOf(messages: readonly Message[], rename: Renaming): string {
  return [...new Set(messages.map((message) => nameOf(message, rename)))].sort().join();
}

/** Two messages of the same name are the same. */
export function nameOf(message: Message, rename: Renaming): string {
  const { from, to, ...rest } = message;
  let name = `${rename(from)}>${rename(to)} `;
  for (const value of Object.values(rest)) {
    name += Array.isArray(value) ? textsOf(value as Entry[], rename) : String(value);
    name += ' ';
  }
  return name;
}
