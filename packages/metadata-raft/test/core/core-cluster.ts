import { seededRandom } from '@azimuth/common';
import type { Random } from '@azimuth/common';

import { configurationOf, isConfigurationEntry } from '../../src/core/configuration-entry';
import { DEFAULT_RAFT_CONFIG } from '../../src/core/config';
import type { RaftConfig } from '../../src/core/config';
import { staticConfiguration } from '../../src/core/membership';
import type { Entry, InstallSnapshot, Message } from '../../src/core/message';
import { RaftNode } from '../../src/core/raft-node';
import type { HardState, Ready } from '../../src/core/ready';
import { MemoryGroupLog } from '../../src/log/memory-log';

export const data = (text: string): Uint8Array => Buffer.from(text);

type MakeNode = (id: string, log: MemoryGroupLog, lastApplied: number) => RaftNode;

/** A node, its log, and what it applied. */
export class CoreNode {
  readonly id: string;
  readonly #make: MakeNode;
  readonly log = new MemoryGroupLog();
  readonly applied: Entry[] = [];
  node: RaftNode;

  constructor(id: string, make: MakeNode) {
    this.id = id;
    this.#make = make;
    this.node = make(id, this.log, 0);
  }

  /** Everything that ready asks for, at once; answers what is to be sent. */
  persist(): Message[] {
    const sent: Message[] = [];
    while (this.node.hasReady) sent.push(...this.sync());
    for (const entry of this.node.committedEntries(1e9)) {
      this.applied.push(entry);
      this.node.applied(entry.index);
    }
    return sent;
  }

  /** One ready; `before` runs when it is not durable yet. */
  sync(before: (ready: Ready) => void = () => undefined): Message[] {
    const ready = this.node.ready();
    before(ready);
    const { hardState, snapshot, entries } = ready;
    this.log.apply({ group: 'g', hardState, snapshot, entries });
    this.node.advance();
    return [...ready.messages, ...ready.messagesAfterSync];
  }

  /** The process dies; what was durable stays. */
  restart(): void {
    this.applied.length = 0;
    this.node = this.#make(this.id, this.log, this.log.snapshotIndex());
  }
}

/** Nodes that exchange messages without loss, except as a test says; no time passes by itself. */
export class CoreCluster {
  readonly nodes = new Map<string, CoreNode>();
  readonly #cut = new Set<string>();
  readonly #make: (founders: readonly string[]) => MakeNode;
  /** Messages for which this answers false are lost. */
  filter: (message: Message) => boolean = () => true;

  constructor(
    ids: readonly string[] = ['n1', 'n2', 'n3'],
    config: Partial<RaftConfig> = {},
    seed = 7,
  ) {
    const random = seededRandom(seed);
    this.#make = (founders) => (own, log, lastApplied) => {
      const start = log.snapshotConfiguration();
      return new RaftNode({
        id: own,
        config: { ...DEFAULT_RAFT_CONFIG, ...config },
        configuration: start === null ? staticConfiguration(founders) : configurationOf(start),
        random,
        log,
        hardState: log.hardState(),
        lastApplied,
      });
    };
    for (const id of ids) this.nodes.set(id, new CoreNode(id, this.#make(ids)));
  }

  /** A node with an empty log that belongs to nothing yet. */
  join(id: string): void {
    this.nodes.set(id, new CoreNode(id, this.#make([])));
  }

  /** The disk of `id` is lost; it comes back under its name with an empty one. */
  wipe(id: string): void {
    const node = new CoreNode(id, this.#make([...this.nodes.keys()]));
    const hardState = { currentTerm: 0, votedFor: null, repairIndex: 1, isRejoining: true };
    node.log.apply({ group: 'g', hardState, snapshot: null, entries: [] });
    node.restart();
    this.nodes.set(id, node);
  }

  /** Begins a change and lets it come to its end, if it can. */
  change(leader: string, voters: readonly string[], learners: readonly string[] = []): void {
    const outcome = this.node(leader).changeMembership({ voters, learners });
    if (typeof outcome === 'string') throw new Error(outcome);
    this.settle();
  }

  /** Compacts the log of `id` up to what it applied. */
  compact(id: string): void {
    const { node, log } = this.get(id);
    const { lastApplied: index } = node.status();
    const mark = { index, term: node.termOf(index) ?? 0 };
    const snapshot = { ...mark, configuration: node.configurationAt(index) };
    log.apply({ group: 'g', hardState: null, snapshot, entries: [] });
  }

  node(id: string): RaftNode {
    return this.get(id).node;
  }

  get(id: string): CoreNode {
    const found = this.nodes.get(id);
    if (found === undefined) throw new Error(`no node ${id}`);
    return found;
  }

  isolate(id: string): void {
    this.#cut.add(id);
  }

  heal(id: string): void {
    this.#cut.delete(id);
  }

  /** Delivers until nothing is on its way. */
  settle(): void {
    for (let round = 0; round < 1000; round += 1) {
      const sent = [...this.nodes.values()].flatMap((node) => node.persist());
      if (sent.length === 0) return;
      for (const message of sent) {
        if (this.#cut.has(message.from) || this.#cut.has(message.to)) continue;
        if (!this.filter(message)) continue;
        if (message.type === 'InstallSnapshot') this.#install(message);
        else this.node(message.to).step(message);
      }
    }
    throw new Error('the cluster does not settle');
  }

  #install(message: InstallSnapshot): void {
    const from = this.node(message.from);
    const configuration = from.configurationAt(message.lastIncludedIndex);
    this.node(message.to).step({ ...message, configuration });
    const { node } = this.get(message.to);
    this.get(message.to).persist();
    if (node.snapshotToInstall !== null) node.applied(node.snapshotToInstall);
    from.reportSnapshot(message.to, true);
  }

  tick(count = 1, ids: readonly string[] = [...this.nodes.keys()]): void {
    for (let n = 0; n < count; n += 1) {
      for (const id of ids) this.node(id).tick();
      this.settle();
    }
  }

  elect(id: string): void {
    for (const other of this.nodes.values()) {
      if (other.id !== id && !this.#cut.has(other.id)) this.forgetLeader(other.id);
    }
    this.node(id).campaign();
    this.settle();
    if (this.node(id).role !== 'leader') throw new Error(`${id} was not elected`);
  }

  /** Cuts the leader off until it notices. */
  depose(id: string): void {
    this.isolate(id);
    this.tick(DEFAULT_RAFT_CONFIG.electionTimeoutTicksMin * 2, [id]);
    if (this.node(id).role === 'leader') throw new Error(`${id} still leads`);
    this.heal(id);
  }

  /** Lets the election time-out pass on one follower, without a campaign of its own. */
  forgetLeader(id: string): void {
    for (let n = 0; n < DEFAULT_RAFT_CONFIG.electionTimeoutTicksMin; n += 1) {
      if (this.node(id).role === 'leader') return;
      this.node(id).tick();
      this.get(id).persist();
    }
  }

  propose(id: string, text: string): void {
    const outcome = this.node(id).propose(data(text));
    if ('refused' in outcome) throw new Error(outcome.refused);
    this.settle();
  }

  appliedBy(id: string): string[] {
    return this.get(id)
      .applied.filter(({ data: bytes }) => bytes.length > 0 && !isConfigurationEntry(bytes))
      .map((entry) => Buffer.from(entry.data).toString());
  }
}

/** A lone node with a given past, for scripted messages. */
export function loneNode(
  entries: readonly Entry[],
  hardState: Partial<HardState> = {},
  voters: readonly string[] = ['n1', 'n2', 'n3'],
  random: Random = seededRandom(1),
): CoreNode {
  const make = (id: string, log: MemoryGroupLog, lastApplied: number): RaftNode =>
    new RaftNode({
      id,
      config: DEFAULT_RAFT_CONFIG,
      configuration: staticConfiguration(voters),
      random,
      log,
      hardState: log.hardState(),
      lastApplied,
    });
  const node = new CoreNode('n1', make);
  node.log.apply({
    group: 'g',
    hardState: {
      currentTerm: entries.at(-1)?.term ?? 0,
      votedFor: null,
      repairIndex: 0,
      isRejoining: false,
      ...hardState,
    },
    snapshot: null,
    entries,
  });
  node.restart();
  return node;
}
