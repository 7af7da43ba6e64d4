import type { Clock, Random } from '@azimuth/common';
import { silentLogger, StoreError } from '@azimuth/common';
import type { Command } from '@azimuth/proto';
import { SimFileDisk } from '@azimuth/testkit';
import type { SimNetwork, VirtualClock } from '@azimuth/testkit';

import { DEFAULT_RAFT_CONFIG } from '../../../packages/metadata-raft/src/core/config';
import type { Message } from '../../../packages/metadata-raft/src/core/message';
import { createMetadataDriver } from '../../../packages/metadata-raft/src/driver/metadata-driver';
import type { MetadataDriver } from '../../../packages/metadata-raft/src/driver/metadata-driver';
import type { RaftGroup } from '../../../packages/metadata-raft/src/driver/state-machine';
import { GroupEndpoint } from '../../../packages/metadata-raft/src/server/group-endpoint';
import { GroupStateMachine } from '../../../packages/metadata-raft/src/state-machine/group-state-machine';
import { IndexCommandSet } from '../../../packages/metadata-raft/src/state-machine/index-commands';
import { MemoryKeyValueStore } from '../../../packages/metadata-raft/src/state-machine/memory-key-value-store';
import { RootCommandSet } from '../../../packages/metadata-raft/src/state-machine/root-commands';
import { SeparatedStore } from '../../../packages/metadata-raft/src/state-machine/separated-store';
import type { TransportReceiver } from '../../../packages/metadata-raft/src/transport/transport';

import { CheckedMachine } from './checked-machine';
import type { SimCommandSet } from './checked-machine';
import { answerTo, isRangeQuestion } from './question';
import type { Question } from './question';
import type { SafetyChecker } from './safety-checker';
import { SimKeyValueStore, tearStore } from './sim-key-value-store';
import { SimTransport } from './sim-transport';

/** So small that most bodies of the workload lie in files, of which there are many. */
const VALUE_BYTES_MIN = 16;
const VALUE_FILE_BYTES_MAX = 1024;

export interface SimNodeOptions {
  readonly id: string;
  /** Who founds the cluster; others join it when they are taken in. */
  readonly voters: readonly string[];
  readonly groups: readonly string[];
  readonly clock: VirtualClock;
  /** How far this node's wall clock is off. */
  readonly skewMs: number;
  readonly random: Random;
  readonly network: SimNetwork;
  readonly disk: SimFileDisk;
  readonly checker: SafetyChecker;
  readonly compactionBytesMin: number;
  readonly trailingEntries: number;
  readonly segmentBytesMax: number;
  readonly onFailure: (error: unknown) => void;
  readonly onTrace: (event: string) => void;
  /** This node has become the leader of `group`. */
  readonly onLeader: (node: SimNode, group: string) => void;
  /** This node has voted for another. */
  readonly onVote: (node: SimNode) => void;
  readonly receiverOf: (id: string) => TransportReceiver | null;
  /** Bends what a node sends, so that a test can see that the checkers notice. */
  readonly tamper?: ((message: Message) => Message | null) | undefined;
}

/** An answer, and between which entries of the log the state was that it was read from. */
export interface SimRead {
  readonly fromIndex: number;
  readonly toIndex: number;
  readonly content: unknown;
}

interface GroupOfNode {
  readonly group: RaftGroup;
  readonly machine: CheckedMachine;
  readonly endpoint: GroupEndpoint<SimCommandSet>;
}

/** One process of the simulation: it dies and comes back over the same disk. */
export class SimNode {
  readonly id: string;
  readonly #options: SimNodeOptions;
  /** The files of the state machines; they outlive the process. */
  readonly #stores = new Map<string, MemoryKeyValueStore>();
  /** The files of their large values, by group. */
  readonly #valueDisks = new Map<string, SimFileDisk>();
  readonly #groups = new Map<string, GroupOfNode>();
  #driver: MetadataDriver | null = null;
  #life = 0;
  #boots = 0;
  #isStarting = false;
  #isStateTorn = false;
  #isDiskReplaced = false;
  #pausedUntilMs = 0;
  /** Fenced by its own disk: it needs the operator. */
  isFenced = false;
  readonly #lastCommit = new Map<string, number>();
  readonly #lastLed = new Map<string, number>();

  constructor(options: SimNodeOptions) {
    this.id = options.id;
    this.#options = options;
    for (const group of options.groups) this.#stores.set(group, new MemoryKeyValueStore());
  }

  get isUp(): boolean {
    return this.#driver?.isRunning === true;
  }

  get receiver(): TransportReceiver | null {
    const driver = this.#driver;
    if (driver?.isRunning !== true) return null;
    if (this.#pausedUntilMs <= this.#options.clock.monotonicMs()) return driver;
    return {
      receive: (messages) => this.run(() => driver.receive(messages)),
      receiveSnapshot: () => Promise.reject(new StoreError('UNAVAILABLE')),
    };
  }

  machine(name: string): CheckedMachine | null {
    return this.#groups.get(name)?.machine ?? null;
  }

  group(name: string): RaftGroup | null {
    return this.#groups.get(name)?.group ?? null;
  }

  isLeaderOf(name: string): boolean {
    return this.isUp && this.group(name)?.status().role === 'leader';
  }

  get leadsAny(): boolean {
    return this.#options.groups.some((name) => this.isLeaderOf(name));
  }

  /** Nothing happens while it is up already, or starting. */
  start(): void {
    if (this.#driver !== null || this.#isStarting) return;
    this.#life += 1;
    this.#isStarting = true;
    this.isFenced = false;
    const life = this.#life;
    this.#lastCommit.clear();
    this.#lastLed.clear();
    this.#options.onTrace(`${this.id} start`);
    this.#open(life).catch((error: unknown) => {
      if (life === this.#life) this.#stopped(error);
    });
  }

  /** Kills the process; with `power` everything that was not synced may go. */
  crash(kind: 'process' | 'power'): void {
    this.#life += 1;
    this.#driver = null;
    this.#isStarting = false;
    this.#pausedUntilMs = 0;
    this.#groups.clear();
    this.#options.disk.crash(kind);
    for (const disk of this.#valueDisks.values()) disk.crash(kind);
    this.#options.onTrace(`${this.id} ${kind}`);
    if (kind === 'process') return;
    this.#boots += 1;
    this.#isStateTorn = this.#options.random.below(2) === 0;
  }

  /** The dead process finds an empty disk, and is told so by the operator, when it starts again. */
  replaceDisk(): void {
    this.#options.disk.replace();
    this.#isDiskReplaced = true;
    this.#isStateTorn = false;
    for (const name of this.#options.groups) this.#stores.set(name, new MemoryKeyValueStore());
    for (const disk of this.#valueDisks.values()) disk.replace();
    this.#options.onTrace(`${this.id} disk replaced`);
  }

  /** Stops the process as SIGSTOP does: whatever comes for it waits. */
  pause(forMs: number): void {
    this.#pausedUntilMs = this.#options.clock.monotonicMs() + forMs;
    this.#options.onTrace(`${this.id} paused`);
  }

  /** Runs `action` in this process, now or when it goes on; never when it dies before. */
  run(action: () => void): void {
    this.#clockOf(this.#life).schedule(0, action);
  }

  /** @throws StoreError as the service does */
  async submit(group: string, command: Command): Promise<Buffer> {
    return this.#require(group).endpoint.submit(command);
  }

  /** Answers as the service does. @throws StoreError */
  async read(group: string, question: Question): Promise<SimRead> {
    const { endpoint, machine } = this.#require(group);
    await endpoint.confirm();
    const toIndex = machine.visibleIndex;
    const fromIndex = isRangeQuestion(question) ? machine.lastApplied() : toIndex;
    const content = await answerTo(question, endpoint.commands);
    return { fromIndex, toIndex, content };
  }

  /** Feeds the state of every group to the checker. */
  check(): void {
    if (!this.isUp) return;
    for (const [name, { group }] of this.#groups) {
      const { role, term, commitIndex } = group.status();
      if (commitIndex < (this.#lastCommit.get(name) ?? 0)) {
        throw new Error(`the commit index of ${this.id} went back`);
      }
      this.#lastCommit.set(name, commitIndex);
      if (role !== 'leader' || this.#lastLed.get(name) === term) continue;
      this.#lastLed.set(name, term);
      const termOf = (index: number): number | null => coreOf(group).termOf(index);
      let firstIndex = 1;
      if (termOf(1) === null) {
        firstIndex = commitIndex + 1;
        while (firstIndex > 1 && termOf(firstIndex - 1) !== null) firstIndex -= 1;
      }
      this.#options.checker.onNode({
        ...{ id: this.id, group: name, role, term, commitIndex, firstIndex, termOf },
      });
    }
  }

  async #open(life: number): Promise<void> {
    const { voters, groups, random, checker, disk, network, clock } = this.#options;
    const nodeClock = this.#clockOf(life);
    if (this.#isStateTorn) {
      for (const store of this.#stores.values()) await tearStore(store, random);
      this.#isStateTorn = false;
    }
    const machines = new Map<string, CheckedMachine>();
    for (const name of groups) {
      const files = this.#stores.get(name) as MemoryKeyValueStore;
      const store = await SeparatedStore.open({
        base: new SimKeyValueStore(files, nodeClock),
        disk: this.#valueDiskOf(name).mount(),
        valueBytesMin: VALUE_BYTES_MIN,
        fileBytesMax: VALUE_FILE_BYTES_MAX,
      });
      const machine = await GroupStateMachine.open(store, (records, counters): SimCommandSet =>
        name === 'root'
          ? new RootCommandSet(records, counters)
          : new IndexCommandSet(records, counters),
      );
      machines.set(name, new CheckedMachine(name, machine, checker));
    }
    const { tamper, receiverOf, onTrace } = this.#options;
    const driver = createMetadataDriver({
      nodeId: this.id,
      voters,
      disk: disk.mount(),
      whenEmpty: this.#whenEmpty(),
      bootId: `boot-${String(this.#boots)}`,
      transport: new SimTransport({
        ...{ id: this.id, clock, network, tamper, receiverOf, onTrace },
        isAlive: () => life === this.#life,
        onVote: () => this.#options.onVote(this),
      }),
      clock: nodeClock,
      random,
      logger: silentLogger,
      defer: (callback) => void nodeClock.schedule(0, callback),
      raft: DEFAULT_RAFT_CONFIG,
      tickMs: 95 + random.below(10),
      compactionBytesMin: this.#options.compactionBytesMin,
      trailingEntries: this.#options.trailingEntries,
      wal: { segmentBytesMax: this.#options.segmentBytesMax, cacheBytesMax: 2048 },
      onFatal: (error) => this.#stopped(error),
      onWrite: (batch) => {
        checker.onWrite(batch, (write) => {
          const first = write.entries[0]?.index ?? 0;
          if (write.snapshot !== null && write.snapshot.index === first - 1) {
            return write.snapshot.term;
          }
          return coreOf(this.#require(write.group).group).termOf(first - 1) ?? -1;
        });
      },
    });
    for (const [name, machine] of machines) this.#addGroup(driver, name, machine);
    this.#driver = driver;
    await driver.start();
    this.#isStarting = false;
  }

  #whenEmpty(): 'bootstrap' | 'rejoin' | 'join' {
    if (!this.#options.voters.includes(this.id)) return 'join';
    return this.#isDiskReplaced ? 'rejoin' : 'bootstrap';
  }

  #addGroup(driver: MetadataDriver, name: string, machine: CheckedMachine): void {
    const group = driver.addGroup(name, machine);
    const endpoint = new GroupEndpoint({
      ...{ name, group, machine: machine.machine, random: this.#options.random },
      clock: this.#clockOf(this.#life),
    });
    this.#groups.set(name, { group, machine, endpoint });
    group.onLeadershipChange(({ role }) => {
      if (role === 'leader') this.#options.onLeader(this, name);
    });
  }

  #valueDiskOf(name: string): SimFileDisk {
    let disk = this.#valueDisks.get(name);
    if (disk === undefined) {
      disk = new SimFileDisk(this.#options.clock, this.#options.random);
      this.#valueDisks.set(name, disk);
    }
    return disk;
  }

  #require(name: string): GroupOfNode {
    const found = this.#groups.get(name);
    if (found === undefined) throw new StoreError('UNAVAILABLE', { group: name });
    return found;
  }

  #stopped(error: unknown): void {
    if (error instanceof StoreError && error.code === 'DISK_FENCED') this.isFenced = true;
    else this.#options.onFailure(error);
  }

  /** Nothing that a dead process scheduled may run, and a paused one gets to it later. */
  #clockOf(life: number): Clock {
    const { clock, skewMs } = this.#options;
    const schedule = (delayMs: number, callback: () => void): (() => void) => {
      let cancel = (): void => undefined;
      cancel = clock.schedule(delayMs, () => {
        if (life !== this.#life) return;
        const waitMs = this.#pausedUntilMs - clock.monotonicMs();
        if (waitMs > 0) cancel = schedule(waitMs, callback);
        else callback();
      });
      return () => cancel();
    };
    return {
      wallMs: () => clock.wallMs() + skewMs,
      monotonicMs: () => clock.monotonicMs(),
      schedule,
      sleep: (delayMs, signal) => clock.sleep(delayMs, signal),
    };
  }
}

/** The core of a group, which the service does not show. */
function coreOf(group: RaftGroup): { termOf(index: number): number | null } {
  return (group as unknown as { node: { termOf(index: number): number | null } }).node;
}
