import { decodeRecord } from '@azimuth/proto';

import type {
  CommittedEntry,
  StateMachine,
  StateMachineSnapshot,
} from '../../../packages/metadata-raft/src/driver/state-machine';
import type { GroupStateMachine } from '../../../packages/metadata-raft/src/state-machine/group-state-machine';
import type { IndexCommandSet } from '../../../packages/metadata-raft/src/state-machine/index-commands';
import type { RootCommandSet } from '../../../packages/metadata-raft/src/state-machine/root-commands';

import type { SafetyChecker } from './safety-checker';

export type SimCommandSet = IndexCommandSet | RootCommandSet;
type SimMachine = GroupStateMachine<SimCommandSet>;

/** The real state machine of one replica, under the eyes of the checker. */
export class CheckedMachine implements StateMachine {
  readonly machine: SimMachine;
  readonly #group: string;
  readonly #checker: SafetyChecker;
  #visibleIndex: number;

  constructor(group: string, machine: SimMachine, checker: SafetyChecker) {
    this.machine = machine;
    this.#group = group;
    this.#checker = checker;
    this.#visibleIndex = machine.lastApplied();
  }

  /** The last entry whose effect a query sees; while a batch is being written it is in that batch. */
  get visibleIndex(): number {
    return this.#visibleIndex;
  }

  lastApplied(): number {
    return this.machine.lastApplied();
  }

  async apply(entries: readonly CommittedEntry[]): Promise<readonly unknown[]> {
    for (const { index, term, data } of entries) {
      this.#checker.onApply(this.#group, index, term, data);
    }
    const applied = this.machine.apply(entries);
    this.#visibleIndex = entries.at(-1)?.index ?? this.#visibleIndex;
    const answers = await applied;
    for (const [position, answer] of answers.entries()) {
      if (answer === null) continue;
      const { index } = entries[position] as CommittedEntry;
      this.#checker.onAnswer(this.#group, index, decodeRecord(answer));
    }
    await this.#checkState();
    return answers;
  }

  createSnapshot(baseIndex: number | null): Promise<StateMachineSnapshot> {
    return this.machine.createSnapshot(baseIndex);
  }

  mergedSnapshot(parts: readonly AsyncIterable<Buffer>[]): AsyncIterable<Buffer> {
    return this.machine.mergedSnapshot(parts);
  }

  wholeSnapshot(chunks: AsyncIterable<Buffer>): AsyncIterable<Buffer> {
    return this.machine.wholeSnapshot(chunks);
  }

  releaseSnapshots(index: number): Promise<void> {
    return this.machine.releaseSnapshots(index);
  }

  async installSnapshot(lastIncludedIndex: number, chunks: AsyncIterable<Buffer>): Promise<void> {
    await this.machine.installSnapshot(lastIncludedIndex, chunks);
    this.#visibleIndex = lastIncludedIndex;
    await this.#checkState();
  }

  async reset(): Promise<void> {
    await this.machine.reset();
    this.#visibleIndex = 0;
  }

  stateHash(): Promise<string> {
    return this.machine.stateHash();
  }

  async #checkState(): Promise<void> {
    this.#checker.onState(this.#group, this.machine.lastApplied(), await this.machine.stateHash());
  }
}
