import { seededRandom } from '@azimuth/common';
import type { Random } from '@azimuth/common';
import { SimFileDisk, SimNetwork, VirtualClock } from '@azimuth/testkit';
import { crc32c } from '@node-rs/crc32';

import type { Message } from '../../../packages/metadata-raft/src/core/message';

import { chooseCore } from './choose-core';
import { Clients } from './clients';
import { Nemesis } from './nemesis';
import { SafetyChecker } from './safety-checker';
import { SimNode } from './sim-node';
import { swarmOf } from './swarm';
import type { Swarm } from './swarm';

/**
 * How the faults end: everything is healed; or only a core of nodes is, just a quorum, and all
 * others stay as they are for ever (the liveness mode of TigerBeetle's VOPR).
 */
export type Ending = 'healed' | 'core';

export interface RaftSimulationOptions {
  readonly seed: number;
  /** Knobs that the seed shall not turn. */
  readonly swarm?: Partial<Swarm>;
  /** Virtual time with faults; the cluster then has to recover. */
  readonly faultMs?: number;
  /** What becomes of the faults; by default one seed of four ends with a core. */
  readonly ending?: Ending;
  readonly tamper?: (message: Message) => Message | null;
  /** Names the files that every disk forgets to sync. */
  readonly isSyncForgotten?: (fileName: string) => boolean;
  /** Hears of everything that happens, for a person who looks for a cause. */
  readonly onTrace?: (event: string) => void;
}

export interface RaftSimulationReport {
  readonly seed: number;
  readonly steps: number;
  readonly traceHash: number;
  readonly writes: number;
  readonly reads: number;
  readonly retries: number;
  readonly unknown: number;
  readonly crashes: number;
  readonly membershipChanges: number;
  readonly terms: number;
  readonly ending: Ending;
  /** How long a core took to commit something in every group; 0 when all was healed. */
  readonly coreCommitMs: number;
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
/** Until every process runs and its configurations are known. */
const SURVEY_MS = 500;
/** A core has to elect and commit within this time: a few elections, of which some may be split. */
const CORE_COMMIT_MS_MAX = 8_000;
const CORE_SEEDS = 4;
/** Several times what the busiest seed needs: messages that beget messages are a failure too. */
const STEPS_MAX = 200_000;

class RaftSimulation {
  readonly #options: RaftSimulationOptions;
  readonly #random: Random;
  readonly #swarm: Swarm;
  readonly #clock = new VirtualClock();
  readonly #network: SimNetwork;
  readonly #checker = new SafetyChecker();
  readonly #nodes = new Map<string, SimNode>();
  readonly #disks = new Map<string, SimFileDisk>();
  readonly #clients: Clients;
  readonly #nemesis: Nemesis;
  readonly #ending: Ending;
  #coreCommitMs = 0;
  #failure: { readonly error: unknown } | null = null;
  #traceHash = 0;

  constructor(options: RaftSimulationOptions) {
    this.#options = options;
    this.#random = seededRandom(options.seed);
    this.#ending = options.ending ?? (options.seed % CORE_SEEDS === 3 ? 'core' : 'healed');
    // A quorum of which one log is damaged is none.
    const whole = this.#ending === 'core' ? { flips: false, diskLosses: false } : {};
    this.#swarm = { ...swarmOf(this.#random), ...options.swarm, ...whole };
    const { lossRate, duplicationRate, latencyMsMax } = this.#swarm;
    const faults = { lossRate, duplicationRate, latencyMsMin: 0.2, latencyMsMax };
    this.#network = new SimNetwork(this.#clock, this.#random, faults);
    const voters = Array.from({ length: this.#swarm.nodeCount }, (_, i) => `n${String(i + 1)}`);
    const spares = Array.from(
      { length: this.#swarm.spareCount },
      (_, i) => `n${String(voters.length + i + 1)}`,
    );
    for (const id of [...voters, ...spares]) this.#nodes.set(id, this.#makeNode(id, voters));
    const common = {
      ...{ swarm: this.#swarm, clock: this.#clock, random: this.#random },
      ...{ network: this.#network, nodes: this.#nodes },
    };
    this.#clients = new Clients({
      ...{ ...common, checker: this.#checker },
      onFailure: (error) => this.#fail(error),
    });
    this.#nemesis = new Nemesis({
      ...{ ...common, disks: this.#disks },
      onTrace: (event) => this.#trace(event),
    });
  }

  get steps(): number {
    return this.#clock.executed;
  }

  async run(): Promise<RaftSimulationReport> {
    const faultMs = this.#options.faultMs ?? FAULT_MS;
    for (const node of this.#nodes.values()) node.start();
    this.#nemesis.start();
    await this.#runUntil(faultMs);
    this.#nemesis.heal();
    const recovering =
      this.#ending === 'core' ? await this.#abandonAllButCore() : [...this.#nodes.values()];
    await this.#runUntil(faultMs + RECOVERY_MS / 2);
    this.#clients.stop();
    await this.#runUntil(faultMs + RECOVERY_MS);
    await this.#checkRecovered(recovering);
    if (this.#clients.check() < faultMs + RECOVERY_MS / 4) {
      throw new Error('liveness: nothing was served after the recovery');
    }
    return this.#report();
  }

  /** Answers the core, when it has committed something in every group. */
  async #abandonAllButCore(): Promise<readonly SimNode[]> {
    const { groups } = this.#swarm;
    const all = [...this.#nodes.values()];
    this.#nemesis.silence();
    await this.#runUntil(this.#clock.monotonicMs() + SURVEY_MS);
    const records = all.flatMap((node) =>
      groups.flatMap((group) => node.group(group)?.membership().configuration ?? []),
    );
    const chosen = chooseCore([...this.#nodes.keys()], records, this.#random);
    const isOfCore = (node: SimNode): boolean => chosen.includes(node.id);
    this.#nemesis.abandon(all.filter((node) => !isOfCore(node)));
    const core = all.filter(isOfCore);
    const fromMs = this.#clock.monotonicMs();
    this.#clients.probe(core);
    await this.#runUntil(fromMs + CORE_COMMIT_MS_MAX);
    const tookMs = groups.map((group) => this.#clients.firstWriteMs(group, fromMs) - fromMs);
    this.#coreCommitMs = Math.round(Math.max(...tookMs));
    if (this.#coreCommitMs > CORE_COMMIT_MS_MAX) {
      throw new Error(`liveness: the core ${chosen.join()} does not commit: ${tookMs.join()} ms`);
    }
    return core;
  }

  #makeNode(id: string, voters: readonly string[]): SimNode {
    const { groups, compactionBytesMin, trailingEntries, segmentBytesMax } = this.#swarm;
    const { skewMsMax, syncMsMax } = this.#swarm;
    const disk = new SimFileDisk(this.#clock, this.#random);
    disk.syncMsMax = syncMsMax;
    disk.isSyncForgotten = this.#options.isSyncForgotten ?? (() => false);
    this.#disks.set(id, disk);
    return new SimNode({
      ...{ id, voters, groups, disk, compactionBytesMin, trailingEntries, segmentBytesMax },
      clock: this.#clock,
      skewMs: Math.round((this.#random.next() - 0.5) * 2 * skewMsMax),
      random: this.#random,
      network: this.#network,
      checker: this.#checker,
      tamper: this.#options.tamper,
      onFailure: (error) => this.#fail(error),
      onTrace: (event) => this.#trace(event),
      onLeader: (node, group) => this.#clients.onLeader(node, group),
      onVote: (node) => this.#nemesis.onVote(node),
      receiverOf: (to) => this.#nodes.get(to)?.receiver ?? null,
    });
  }

  async #runUntil(untilMs: number): Promise<void> {
    await this.#clock.runUntil(untilMs, () => {
      if (this.#failure !== null) throw this.#failure.error;
      for (const node of this.#nodes.values()) node.check();
      if (this.steps > STEPS_MAX) throw new Error('liveness: a storm of events');
    });
  }

  #fail(error: unknown): void {
    this.#failure ??= { error };
  }

  async #checkRecovered(nodes: readonly SimNode[]): Promise<void> {
    for (const group of this.#swarm.groups) {
      const states = new Set<string>();
      const leaders = nodes.filter((node) => node.isLeaderOf(group));
      const membership = leaders[0]?.group(group)?.membership();
      if (leaders.length !== 1 || membership === undefined) {
        throw new Error(`liveness: ${String(leaders.length)} leaders of ${group}`);
      }
      if (!membership.isSettled) throw new Error(`liveness: ${group} is in a change for good`);
      for (const node of nodes) {
        // Who is no voter may have been left behind before it was told.
        if (!membership.configuration.voters.includes(node.id)) continue;
        const status = node.group(group)?.status();
        const machine = node.machine(group);
        if (!node.isUp || status === undefined || machine === null) {
          throw new Error(`liveness: ${node.id} is down`);
        }
        if (status.isDamaged) throw new Error(`liveness: ${node.id} was not repaired`);
        const { configuration } = node.group(group)?.membership() ?? {};
        states.add(JSON.stringify(configuration));
        states.add(`${String(machine.lastApplied())} ${await machine.stateHash()}`);
      }
      if (states.size !== 2) throw new Error(`liveness: the replicas of ${group} differ`);
    }
  }

  #report(): RaftSimulationReport {
    const group = this.#swarm.groups[0] as string;
    const terms = [...this.#nodes.values()].map((node) => node.group(group)?.status().term ?? 0);
    return {
      seed: this.#options.seed,
      steps: this.steps,
      traceHash: this.#traceHash,
      writes: this.#clients.count('write'),
      reads: this.#clients.count('read'),
      retries: this.#clients.retries,
      unknown: this.#clients.unknownCount,
      crashes: this.#nemesis.crashes,
      membershipChanges: this.#nemesis.membershipChanges,
      terms: Math.max(...terms),
      ending: this.#ending,
      coreCommitMs: this.#coreCommitMs,
    };
  }

  #trace(event: string): void {
    const line = `${this.#clock.monotonicMs().toFixed(4)} ${event}`;
    this.#traceHash = crc32c(line, this.#traceHash);
    this.#options.onTrace?.(line);
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
