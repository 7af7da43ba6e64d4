import type { Clock, Random } from '@azimuth/common';
import { silentLogger, StoreError } from '@azimuth/common';
import type { SimFileDisk, SimNetwork, VirtualClock } from '@azimuth/testkit';

import { DEFAULT_RAFT_CONFIG } from '../../../packages/metadata-raft/src/core/config';
import type { Message } from '../../../packages/metadata-raft/src/core/message';
import { createMetadataDriver } from '../../../packages/metadata-raft/src/driver/metadata-driver';
import type { MetadataDriver } from '../../../packages/metadata-raft/src/driver/metadata-driver';
import type { RaftGroup } from '../../../packages/metadata-raft/src/driver/state-machine';
import type {
  GroupMessage,
  RaftTransport,
  SnapshotAnswer,
  SnapshotTransfer,
  TransportReceiver,
} from '../../../packages/metadata-raft/src/transport/transport';
import { RegisterMachine } from '../../../packages/metadata-raft/test/driver/register-machine';

import type { SafetyChecker } from './safety-checker';

export interface SimNodeOptions {
  readonly id: string;
  readonly voters: readonly string[];
  readonly groups: readonly string[];
  readonly clock: VirtualClock;
  readonly random: Random;
  readonly network: SimNetwork;
  readonly disk: SimFileDisk;
  readonly checker: SafetyChecker;
  readonly compactionBytesMin: number;
  readonly trailingEntries: number;
  readonly segmentBytesMax: number;
  readonly onFailure: (error: unknown) => void;
  readonly onTrace: (event: string) => void;
  readonly receiverOf: (id: string) => TransportReceiver | null;
  /** Bends what a node sends, so that a test can see that the checkers notice. */
  readonly tamper?: ((message: Message) => Message | null) | undefined;
}

const SNAPSHOT_TIMEOUT_MS = 3_000;

/** One process of the simulation: it dies and comes back over the same disk. */
export class SimNode {
  readonly id: string;
  readonly #options: SimNodeOptions;
  readonly machines = new Map<string, RegisterMachine>();
  readonly groups = new Map<string, RaftGroup>();
  #driver: MetadataDriver | null = null;
  #life = 0;
  #boots = 0;
  /** Fenced by its own disk: it needs the operator. */
  isFenced = false;
  readonly #lastCommit = new Map<string, number>();
  readonly #lastLed = new Map<string, number>();

  constructor(options: SimNodeOptions) {
    this.id = options.id;
    this.#options = options;
    for (const group of options.groups) this.machines.set(group, this.#newMachine(group));
  }

  get isUp(): boolean {
    return this.#driver?.isRunning === true;
  }

  get receiver(): TransportReceiver | null {
    return this.isUp ? this.#driver : null;
  }

  get logCondition(): string {
    return this.#driver?.logCondition ?? 'down';
  }

  /** Nothing happens while it is up already, or starting. */
  start(): void {
    if (this.#driver !== null) return;
    const { clock, disk, voters, random } = this.#options;
    this.#life += 1;
    this.isFenced = false;
    const life = this.#life;
    this.#lastCommit.clear();
    this.#lastLed.clear();
    const nodeClock = this.#clockOf(life);
    const driver = createMetadataDriver({
      nodeId: this.id,
      voters,
      disk: disk.mount(),
      whenEmpty: 'bootstrap',
      bootId: `boot-${String(this.#boots)}`,
      transport: this.#transport(life),
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
        this.#options.checker.onWrite(batch, (write) => {
          const first = write.entries[0]?.index ?? 0;
          if (write.snapshot !== null && write.snapshot.index === first - 1) {
            return write.snapshot.term;
          }
          return this.groupNode(write.group).termOf(first - 1) ?? -1;
        });
      },
    });
    this.groups.clear();
    for (const [name, machine] of this.machines) {
      this.groups.set(name, driver.addGroup(name, machine));
    }
    this.#driver = driver;
    driver.start().catch((error: unknown) => {
      if (life === this.#life) this.#stopped(error);
    });
    this.#options.onTrace(`${this.id} start ${String(clock.monotonicMs())}`);
  }

  crash(kind: 'process' | 'power'): void {
    this.#life += 1;
    this.#driver = null;
    this.#options.disk.crash(kind);
    this.#options.onTrace(`${this.id} ${kind}`);
    for (const group of this.#options.groups) {
      const survivor = this.machines.get(group);
      const next = this.#newMachine(group);
      // What the dead process may still do to its object must not reach the next life.
      if (survivor !== undefined) {
        for (const [key, register] of survivor.registers) next.registers.set(key, register);
        next.restoreApplied(survivor.lastApplied());
      }
      this.machines.set(group, next);
      if (kind === 'power' && this.#options.random.below(2) === 0) {
        // Unsynced state after a power cut is anything; the driver must not believe it.
        next.registers.clear();
      }
    }
    if (kind === 'power') this.#boots += 1;
  }

  groupNode(group: string): { termOf(index: number): number | null } {
    const found = this.groups.get(group);
    if (found === undefined) throw new Error(`no group ${group}`);
    return (found as unknown as { node: { termOf(index: number): number | null } }).node;
  }

  /** Feeds the state of every group to the checker. */
  check(): void {
    if (!this.isUp) return;
    for (const [name, group] of this.groups) {
      const { role, term, commitIndex } = group.status();
      if (commitIndex < (this.#lastCommit.get(name) ?? 0)) {
        throw new Error(`the commit index of ${this.id} went back`);
      }
      this.#lastCommit.set(name, commitIndex);
      if (role !== 'leader' || this.#lastLed.get(name) === term) continue;
      this.#lastLed.set(name, term);
      const node = this.groupNode(name);
      let firstIndex = 1;
      const last = commitIndex;
      if (node.termOf(1) === null) {
        firstIndex = last + 1;
        while (firstIndex > 1 && node.termOf(firstIndex - 1) !== null) firstIndex -= 1;
      }
      this.#options.checker.onNode({
        ...{ id: this.id, group: name, role, term, commitIndex, firstIndex },
        termOf: (index) => node.termOf(index),
      });
    }
  }

  #stopped(error: unknown): void {
    if (error instanceof StoreError && error.code === 'DISK_FENCED') this.isFenced = true;
    else this.#options.onFailure(error);
  }

  #newMachine(group: string): RegisterMachine {
    const machine: RegisterMachine = new RegisterMachine((entry) => {
      if (this.machines.get(group) !== machine) return;
      this.#options.checker.onApply(group, entry.index, entry.term, entry.data);
    });
    return machine;
  }

  /** Nothing that a dead process scheduled may run. */
  #clockOf(life: number): Clock {
    const { clock } = this.#options;
    return {
      wallMs: () => clock.wallMs(),
      monotonicMs: () => clock.monotonicMs(),
      schedule: (delayMs, callback) =>
        clock.schedule(delayMs, () => {
          if (life === this.#life) callback();
        }),
      sleep: (delayMs, signal) => clock.sleep(delayMs, signal),
    };
  }

  #transport(life: number): RaftTransport {
    const { network, receiverOf } = this.#options;
    return {
      start: () => undefined,
      send: (to, messages) => {
        const sent = this.#tampered(messages);
        if (life !== this.#life || sent.length === 0) return;
        network.send(this.id, to, () => {
          this.#options.onTrace(`${this.id}>${to} ${sent.map(({ message: m }) => m.type).join()}`);
          receiverOf(to)?.receive(sent);
        });
      },
      sendSnapshot: (to, transfer) => this.#sendSnapshot(to, transfer),
      close: () => Promise.resolve(),
    };
  }

  #tampered(messages: readonly GroupMessage[]): readonly GroupMessage[] {
    const { tamper } = this.#options;
    if (tamper === undefined) return messages;
    const sent: GroupMessage[] = [];
    for (const { group, message } of messages) {
      const bent = tamper(message);
      if (bent !== null) sent.push({ group, message: bent });
    }
    return sent;
  }

  async #sendSnapshot(to: string, transfer: SnapshotTransfer): Promise<SnapshotAnswer> {
    const { network, clock, receiverOf } = this.#options;
    const chunks: Buffer[] = [];
    for await (const chunk of transfer.chunks) chunks.push(chunk);
    return new Promise((resolve, reject) => {
      clock.schedule(SNAPSHOT_TIMEOUT_MS, () => reject(new StoreError('TIMEOUT')));
      network.send(this.id, to, () => {
        const receiver = receiverOf(to);
        if (receiver === null) return;
        const replay = async function* (): AsyncGenerator<Buffer> {
          for (const chunk of chunks) {
            await Promise.resolve();
            yield chunk;
          }
        };
        receiver.receiveSnapshot({ ...transfer, chunks: replay() }).then(
          (answer) => network.send(to, this.id, () => resolve(answer)),
          (error: unknown) => network.send(to, this.id, () => reject(error)),
        );
      });
    });
  }
}
