import { seededRandom } from '@azimuth/common';
import { PERFECT_NETWORK, SimFileDisk, SimNetwork, VirtualClock } from '@azimuth/testkit';

import type { TransportReceiver } from '../../../packages/metadata-raft/src/transport/transport';

import { SafetyChecker } from '../../simulation/raft/safety-checker';
import { SimNode } from '../../simulation/raft/sim-node';
import { Workload } from '../../simulation/raft/workload';

const GROUP = 'index-0';
const VOTERS = ['n1', 'n2', 'n3'];
const ELECTION_MS = 4_000;
const RECOVERY_MS = 12_000;
const WRITES = 40;
const DOWN_MS = 30;

export interface InstallCrash {
  /** Events after the late node started. */
  readonly event: number;
  readonly victim: 'late' | 'leader';
  readonly kind: 'process' | 'power';
}

/** Three real drivers and state machines, one of which was away until the log had been cut. */
export class SnapshotInstall {
  readonly #clock = new VirtualClock();
  readonly #random = seededRandom(5);
  readonly #network = new SimNetwork(this.#clock, this.#random, PERFECT_NETWORK);
  readonly #checker = new SafetyChecker();
  readonly #nodes: readonly SimNode[];
  #failure: unknown = null;
  #snapshots = 0;
  #crash: { readonly at: number; readonly of: InstallCrash } | null = null;

  constructor() {
    this.#nodes = VOTERS.map((id) => this.#makeNode(id));
  }

  /** Snapshots that arrived somewhere. */
  get snapshots(): number {
    return this.#snapshots;
  }

  /**
   * Runs to the end and answers how many events passed until the late node was up to date.
   *
   * @throws Error when a replica differs, or is not up to date in the end.
   */
  async run(crash: InstallCrash | null): Promise<number> {
    const late = this.#node('n3');
    for (const node of this.#nodes) if (node !== late) node.start();
    await this.#runFor(ELECTION_MS);
    await this.#write();
    late.start();
    const from = this.#clock.executed;
    if (crash !== null) this.#crashAt(from + crash.event, crash);
    let events = 0;
    for (let passedMs = 0; passedMs < RECOVERY_MS; passedMs += 10) {
      await this.#runFor(10);
      if (events === 0 && this.#isUpToDate(late)) events = this.#clock.executed - from;
    }
    await this.#checkReplicas();
    return events;
  }

  #crashAt(at: number, of: InstallCrash): void {
    this.#crash = { at, of };
  }

  async #runFor(forMs: number): Promise<void> {
    await this.#clock.runUntil(this.#clock.monotonicMs() + forMs, () => {
      if (this.#failure !== null) throw this.#failure as Error;
      for (const node of this.#nodes) node.check();
      if (this.#crash === null || this.#clock.executed < this.#crash.at) return;
      const { victim, kind } = this.#crash.of;
      this.#crash = null;
      const node = victim === 'late' ? this.#node('n3') : this.#leader();
      node.crash(kind);
      this.#clock.schedule(DOWN_MS, () => node.start());
    });
  }

  async #write(): Promise<void> {
    const workload = new Workload({
      ...{ keys: 3, clock: this.#clock, random: this.#random, checker: this.#checker },
    });
    for (let count = 0; count < WRITES; count += 1) {
      const written = this.#leader().submit(GROUP, workload.command('c', GROUP));
      written.catch((error: unknown) => {
        this.#failure ??= error;
      });
      await this.#runFor(50);
    }
  }

  #isUpToDate(node: SimNode): boolean {
    const applied = this.#leaderOrNull()?.machine(GROUP)?.lastApplied();
    return applied !== undefined && node.machine(GROUP)?.lastApplied() === applied;
  }

  async #checkReplicas(): Promise<void> {
    const states = new Set<string>();
    for (const node of this.#nodes) {
      const machine = node.machine(GROUP);
      if (machine === null || node.group(GROUP)?.status().isDamaged !== false) {
        throw new Error(`${node.id} is down or damaged`);
      }
      states.add(`${String(machine.lastApplied())} ${await machine.stateHash()}`);
    }
    if (states.size !== 1) throw new Error(`the replicas differ: ${[...states].join(', ')}`);
  }

  #leader(): SimNode {
    const leader = this.#leaderOrNull();
    if (leader === null) throw new Error('nobody leads');
    return leader;
  }

  #leaderOrNull(): SimNode | null {
    return this.#nodes.find((node) => node.isLeaderOf(GROUP)) ?? null;
  }

  #node(id: string): SimNode {
    const found = this.#nodes.find((node) => node.id === id);
    if (found === undefined) throw new Error(`no node ${id}`);
    return found;
  }

  #receiverOf(id: string): TransportReceiver | null {
    const { receiver } = this.#node(id);
    if (receiver === null) return null;
    return {
      receive: (messages) => receiver.receive(messages),
      receiveSnapshot: (transfer) => {
        this.#snapshots += 1;
        return receiver.receiveSnapshot(transfer);
      },
    };
  }

  #makeNode(id: string): SimNode {
    const fail = (error: unknown): void => {
      this.#failure ??= error;
    };
    return new SimNode({
      ...{ id, voters: VOTERS, groups: [GROUP], clock: this.#clock, random: this.#random },
      ...{ network: this.#network, checker: this.#checker, skewMs: 0, onFailure: fail },
      disk: new SimFileDisk(this.#clock, this.#random),
      ...{ compactionBytesMin: 1_000, trailingEntries: 0, segmentBytesMax: 2_000 },
      onTrace: () => undefined,
      onLeader: () => undefined,
      onVote: () => undefined,
      receiverOf: (to) => this.#receiverOf(to),
    });
  }
}
