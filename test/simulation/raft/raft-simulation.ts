import { seededRandom } from '@azimuth/common';
import type { Random } from '@azimuth/common';
import { PERFECT_NETWORK, SimFileDisk, SimNetwork, VirtualClock } from '@azimuth/testkit';
import { crc32c } from '@node-rs/crc32';

import type { Message } from '../../../packages/metadata-raft/src/core/message';
import { encodeCommand } from '../../../packages/metadata-raft/test/driver/register-machine';

import { checkLinearizable } from './history';
import type { Operation } from './history';
import { SafetyChecker } from './safety-checker';
import { SimNode } from './sim-node';

export interface RaftSimulationOptions {
  readonly seed: number;
  /** Virtual time with faults; the cluster then has to recover. */
  readonly faultMs?: number;
  readonly tamper?: (message: Message) => Message | null;
}

export interface RaftSimulationReport {
  readonly seed: number;
  readonly steps: number;
  readonly traceHash: number;
  readonly writes: number;
  readonly reads: number;
  readonly unknown: number;
  readonly crashes: number;
  readonly repairs: number;
  readonly terms: number;
}

/** A safety or liveness property did not hold. */
export class RaftSimulationError extends Error {
  override readonly name = 'RaftSimulationError';

  constructor(seed: number, steps: number, cause: unknown) {
    const what = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
    super(
      `seed=${String(seed)} steps=${String(steps)} · replay: npm run simulate -- --seed ` +
        `${String(seed)}\n${what}`,
      { cause },
    );
  }
}

const RECOVERY_MS = 16_000;
const FAULT_MS = 10_000;
const KEYS = 4;

/** What this seed exposes the cluster to; every seed turns other knobs. */
interface Swarm {
  readonly nodeCount: number;
  readonly groups: readonly string[];
  readonly clients: number;
  readonly lossRate: number;
  readonly duplicationRate: number;
  readonly latencyMsMax: number;
  readonly crashesPerSecond: number;
  readonly powerShare: number;
  readonly partitionsPerSecond: number;
  readonly flips: boolean;
  readonly syncFailures: boolean;
  readonly compactionBytesMin: number;
  readonly trailingEntries: number;
  readonly segmentBytesMax: number;
}

function swarmOf(random: Random): Swarm {
  const oneOf = <T>(...choices: T[]): T => choices[random.below(choices.length)] as T;
  return {
    nodeCount: oneOf(3, 3, 3, 3, 5, 1),
    groups: oneOf(['root'], ['root'], ['root', 'index-0']),
    clients: 1 + random.below(6),
    lossRate: oneOf(0, 0.02, 0.1, 0.25),
    duplicationRate: oneOf(0, 0.05, 0.3),
    latencyMsMax: oneOf(2, 10, 60, 250),
    crashesPerSecond: oneOf(0, 0.1, 0.4, 0.8),
    powerShare: oneOf(0, 0.5, 1),
    partitionsPerSecond: oneOf(0, 0.1, 0.4),
    flips: oneOf(true, false, false),
    syncFailures: oneOf(true, false, false),
    compactionBytesMin: oneOf(2_000, 10_000, 1_000_000),
    trailingEntries: oneOf(0, 5, 50),
    segmentBytesMax: oneOf(2_000, 8_000, 64_000),
  };
}

class RaftSimulation {
  readonly #options: RaftSimulationOptions;
  readonly #random: Random;
  readonly #swarm: Swarm;
  readonly #clock = new VirtualClock();
  readonly #network: SimNetwork;
  readonly #checker = new SafetyChecker();
  readonly #nodes = new Map<string, SimNode>();
  readonly #disks = new Map<string, SimFileDisk>();
  readonly #operations: Operation[] = [];
  readonly #unknownWrites: { id: string; group: string; key: string; startMs: number }[] = [];
  #isFaulty = true;
  #areClientsActive = true;
  #failure: { readonly error: unknown } | null = null;
  #traceHash = 0;
  #commands = 0;
  #crashes = 0;
  #repairs = 0;

  constructor(options: RaftSimulationOptions) {
    this.#options = options;
    this.#random = seededRandom(options.seed);
    this.#swarm = swarmOf(this.#random);
    const { lossRate, duplicationRate, latencyMsMax } = this.#swarm;
    const faults = { lossRate, duplicationRate, latencyMsMin: 0.2, latencyMsMax };
    this.#network = new SimNetwork(this.#clock, this.#random, faults);
    const voters = Array.from({ length: this.#swarm.nodeCount }, (_, i) => `n${String(i + 1)}`);
    for (const id of voters) this.#nodes.set(id, this.#makeNode(id, voters));
  }

  get steps(): number {
    return this.#clock.executed;
  }

  async run(): Promise<RaftSimulationReport> {
    const faultMs = this.#options.faultMs ?? FAULT_MS;
    for (const node of this.#nodes.values()) node.start();
    for (let client = 0; client < this.#swarm.clients; client += 1) this.#startClient(client);
    this.#scheduleFaults();
    await this.#runUntil(faultMs);
    this.#heal();
    await this.#runUntil(faultMs + RECOVERY_MS / 2);
    this.#areClientsActive = false;
    await this.#runUntil(faultMs + RECOVERY_MS);
    await this.#checkRecovered();
    this.#checkHistory();
    return this.#report();
  }

  #makeNode(id: string, voters: readonly string[]): SimNode {
    const disk = new SimFileDisk(this.#clock, this.#random);
    this.#disks.set(id, disk);
    const { groups, compactionBytesMin, trailingEntries, segmentBytesMax } = this.#swarm;
    return new SimNode({
      ...{ id, voters, groups, disk, compactionBytesMin, trailingEntries, segmentBytesMax },
      clock: this.#clock,
      random: this.#random,
      network: this.#network,
      checker: this.#checker,
      tamper: this.#options.tamper,
      onFailure: (error) => (this.#failure ??= { error }),
      onTrace: (event) => this.#trace(event),
      receiverOf: (to) => this.#nodes.get(to)?.receiver ?? null,
    });
  }

  async #runUntil(untilMs: number): Promise<void> {
    await this.#clock.runUntil(untilMs, () => {
      if (this.#failure !== null) throw this.#failure.error;
      for (const node of this.#nodes.values()) node.check();
    });
  }

  // Faults.

  #scheduleFaults(): void {
    const repeat = (perSecond: number, action: () => void): void => {
      if (perSecond === 0) return;
      const next = (): void => {
        this.#clock.schedule((2000 / perSecond) * this.#random.next(), () => {
          if (!this.#isFaulty) return;
          action();
          next();
        });
      };
      next();
    };
    repeat(this.#swarm.crashesPerSecond, () => this.#crashOne());
    repeat(this.#swarm.partitionsPerSecond, () => this.#partition());
    if (this.#swarm.syncFailures) repeat(0.1, () => this.#failSync());
  }

  #pick(): SimNode {
    const nodes = [...this.#nodes.values()];
    return nodes[this.#random.below(nodes.length)] as SimNode;
  }

  #crashOne(): void {
    const node = this.#pick();
    if (!node.isUp && !node.isFenced) return;
    this.#crashes += 1;
    const isPower = this.#random.next() < this.#swarm.powerShare;
    node.crash(isPower ? 'power' : 'process');
    // Only one disk rots, so that every acknowledged entry has a whole copy in a majority; and it
    // rots by itself, not together with a power cut that forgets how far the log was synced.
    if (this.#swarm.flips && node.id === 'n1' && this.#nodes.size > 1 && !isPower) this.#rot();
    this.#clock.schedule(100 + this.#random.next() * 3_000, () => {
      if (this.#isFaulty) node.start();
    });
  }

  #rot(): void {
    const disk = this.#disks.get('n1');
    const segments = [...(disk?.sizes() ?? [])].filter(([name]) => name.startsWith('wal-'));
    // The very last record may be torn as well as rotten; see `Wal.checkpoint` for what decides.
    const [name, size] = segments[this.#random.below(segments.length)] ?? ['', 0];
    const isLast =
      name ===
      segments
        .map(([other]) => other)
        .sort()
        .at(-1);
    const range = isLast ? Math.floor(size / 2) : size;
    if (range === 0) return;
    disk?.flip(name, this.#random.below(range), 1 << this.#random.below(8));
    this.#trace(`rot ${name}`);
  }

  #failSync(): void {
    const disk = [...this.#disks.values()][this.#random.below(this.#disks.size)];
    if (disk !== undefined) disk.isNextSyncFailing = true;
  }

  #partition(): void {
    const ids = [...this.#nodes.keys()];
    // The one that matters most is the leader: it may go on believing that it is one.
    const leader = [...this.#nodes.values()].find(({ groups }) =>
      [...groups.values()].some((group) => group.status().role === 'leader'),
    );
    const anybody = ids[this.#random.below(ids.length)] as string;
    const victim = this.#random.below(2) === 0 ? (leader?.id ?? anybody) : anybody;
    switch (this.#random.below(4)) {
      case 0:
        this.#network.isolate(victim, ids, 'both');
        break;
      case 1:
        this.#network.isolate(victim, ids, this.#random.below(2) === 0 ? 'in' : 'out');
        break;
      case 2: {
        const other = ids[this.#random.below(ids.length)] as string;
        this.#network.cut(victim, other);
        break;
      }
      default:
        for (const a of ids) {
          for (const b of ids) if (this.#random.below(4) === 0) this.#network.cut(a, b);
        }
    }
    this.#clock.schedule(200 + this.#random.next() * 5_000, () => this.#network.healAll());
  }

  #heal(): void {
    this.#isFaulty = false;
    this.#network.healAll();
    this.#network.faults = PERFECT_NETWORK;
    for (const disk of this.#disks.values()) disk.isNextSyncFailing = false;
    for (const node of this.#nodes.values()) {
      if (node.isFenced) node.crash('process');
      if (!node.isUp) node.start();
    }
  }

  // Clients.

  #startClient(client: number): void {
    const next = (): void => {
      this.#clock.schedule(this.#random.next() * 300, () => {
        if (!this.#areClientsActive) return;
        this.#operate(client).then(next, (error: unknown) => {
          this.#failure ??= { error };
        });
      });
    };
    next();
  }

  async #operate(client: number): Promise<void> {
    const node = this.#leaderOrAny();
    if (node === null) return;
    const { groups } = this.#swarm;
    const group = groups[this.#random.below(groups.length)] as string;
    const key = `k${String(this.#random.below(KEYS))}`;
    if (this.#random.below(2) === 0) await this.#write(client, node, group, key);
    else await this.#read(node, group, key);
  }

  #leaderOrAny(): SimNode | null {
    const up = [...this.#nodes.values()].filter((node) => node.isUp);
    const leaders = up.filter((node) =>
      [...node.groups.values()].some((group) => group.status().role === 'leader'),
    );
    const from = leaders.length > 0 ? leaders : up;
    return from[this.#random.below(Math.max(1, from.length))] ?? null;
  }

  async #write(client: number, node: SimNode, group: string, key: string): Promise<void> {
    this.#commands += 1;
    const id = `c${String(client)}-${String(this.#commands)}`;
    const value = `${id}${'x'.repeat(this.#random.below(200))}`;
    const startMs = this.#clock.monotonicMs();
    const proposed = node.groups.get(group)?.propose(encodeCommand({ id, key, value }));
    const version = await this.#settled(proposed);
    if (version === null) {
      this.#unknownWrites.push({ id, group, key, startMs });
      return;
    }
    if (typeof version !== 'number') throw new Error('a write answers its index');
    const endMs = this.#clock.monotonicMs();
    if (this.#checker.indexOf(id) !== version) throw new Error(`the answer to ${id} is wrong`);
    this.#operations.push({ kind: 'write', group, key, startMs, endMs, version });
  }

  async #read(node: SimNode, group: string, key: string): Promise<void> {
    const startMs = this.#clock.monotonicMs();
    const machine = node.machines.get(group);
    const confirmed = await this.#settled(
      node.groups
        .get(group)
        ?.readIndex()
        .then(() => true),
    );
    if (confirmed === null || machine !== node.machines.get(group)) return;
    const endMs = this.#clock.monotonicMs();
    const version = machine?.registers.get(key)?.version ?? 0;
    this.#operations.push({ kind: 'read', group, key, startMs, endMs, version });
  }

  /** Null when refused, failed, or not answered in time: the process may have died. */
  #settled<T>(promise: Promise<T> | undefined): Promise<T | null> {
    return new Promise((resolve) => {
      const cancel = this.#clock.schedule(700, () => resolve(null));
      promise?.then(
        (value) => {
          cancel();
          resolve(value);
        },
        () => {
          cancel();
          resolve(null);
        },
      );
    });
  }

  // The end.

  async #checkRecovered(): Promise<void> {
    for (const group of this.#swarm.groups) {
      const hashes = new Set<string>();
      let leaders = 0;
      for (const node of this.#nodes.values()) {
        const status = node.groups.get(group)?.status();
        if (!node.isUp || status === undefined) throw new Error(`liveness: ${node.id} is down`);
        if (status.isDamaged) throw new Error(`liveness: ${node.id} was not repaired`);
        if (status.role === 'leader') leaders += 1;
        hashes.add((await node.machines.get(group)?.stateHash()) ?? '');
      }
      if (leaders !== 1) throw new Error(`liveness: ${String(leaders)} leaders of ${group}`);
      if (hashes.size !== 1) throw new Error(`liveness: the replicas of ${group} differ`);
    }
  }

  #checkHistory(): void {
    for (const { id, group, key, startMs } of this.#unknownWrites) {
      const version = this.#checker.indexOf(id);
      if (version === null) continue;
      this.#operations.push({ kind: 'write', group, key, startMs, endMs: Infinity, version });
    }
    checkLinearizable(this.#operations);
    const recoveredMs = (this.#options.faultMs ?? FAULT_MS) + RECOVERY_MS / 4;
    const recent = this.#operations.some(({ startMs }) => startMs > recoveredMs);
    if (!recent) throw new Error('liveness: nothing was served after the recovery');
  }

  #report(): RaftSimulationReport {
    const count = (kind: Operation['kind']): number =>
      this.#operations.filter((operation) => operation.kind === kind).length;
    const terms = [...this.#nodes.values()].map(
      (node) => node.groups.get('root')?.status().term ?? 0,
    );
    return {
      seed: this.#options.seed,
      steps: this.steps,
      traceHash: this.#traceHash,
      writes: count('write'),
      reads: count('read'),
      unknown: this.#unknownWrites.length,
      crashes: this.#crashes,
      repairs: this.#repairs,
      terms: Math.max(...terms),
    };
  }

  #trace(event: string): void {
    this.#traceHash = crc32c(`${this.#clock.monotonicMs().toFixed(4)} ${event}`, this.#traceHash);
  }
}

/** @throws RaftSimulationError naming the seed when a property does not hold. */
export async function runRaftSimulation(
  options: RaftSimulationOptions,
): Promise<RaftSimulationReport> {
  const simulation = new RaftSimulation(options);
  try {
    return await simulation.run();
  } catch (error) {
    throw new RaftSimulationError(options.seed, simulation.steps, error);
  }
}
