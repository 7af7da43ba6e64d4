import { createHash } from 'node:crypto';

import type { LogIndex } from '../../src/core/message';
import type {
  CommittedEntry,
  StateMachine,
  StateMachineSnapshot,
} from '../../src/driver/state-machine';

/** What a command does: register `key` takes `value`; `id` is unique. */
export interface RegisterCommand {
  readonly id: string;
  readonly key: string;
  readonly value: string;
}

export interface Register {
  readonly value: string;
  /** Log index of the write: its place in the order of all writes. */
  readonly version: LogIndex;
}

interface Document {
  readonly lastApplied: LogIndex;
  readonly registers: readonly (readonly [string, Register])[];
}

export function encodeCommand(command: RegisterCommand): Buffer {
  return Buffer.from(JSON.stringify(command));
}

export function decodeCommand(data: Uint8Array): RegisterCommand {
  return JSON.parse(Buffer.from(data).toString('utf8')) as RegisterCommand;
}

/** The simplest state machine whose answers can be checked: named registers. */
export class RegisterMachine implements StateMachine {
  readonly registers = new Map<string, Register>();
  readonly #onApply: (entry: CommittedEntry) => void;
  #lastApplied: LogIndex = 0;

  constructor(onApply: (entry: CommittedEntry) => void = () => undefined) {
    this.#onApply = onApply;
  }

  /** As if the state had been kept from an earlier process. */
  restoreApplied(index: LogIndex): void {
    this.#lastApplied = index;
  }

  lastApplied(): LogIndex {
    return this.#lastApplied;
  }

  apply(entries: readonly CommittedEntry[]): Promise<readonly unknown[]> {
    const results = entries.map((entry) => {
      if (entry.index !== this.#lastApplied + 1) {
        throw new Error(`entry ${String(entry.index)} after ${String(this.#lastApplied)}`);
      }
      this.#onApply(entry);
      this.#lastApplied = entry.index;
      if (entry.data.length === 0) return null;
      const { key, value } = decodeCommand(entry.data);
      this.registers.set(key, { value, version: entry.index });
      return entry.index;
    });
    return Promise.resolve(results);
  }

  createSnapshot(): Promise<StateMachineSnapshot> {
    const text = JSON.stringify(this.#document());
    const chunks = async function* (): AsyncGenerator<Buffer> {
      const bytes = Buffer.from(text);
      for (let from = 0; from < bytes.length; from += 256) {
        await Promise.resolve();
        yield bytes.subarray(from, from + 256);
      }
    };
    return Promise.resolve({ lastIncludedIndex: this.#lastApplied, chunks: chunks() });
  }

  async installSnapshot(lastIncludedIndex: LogIndex, chunks: AsyncIterable<Buffer>): Promise<void> {
    const parts: Buffer[] = [];
    for await (const chunk of chunks) parts.push(chunk);
    const document = JSON.parse(Buffer.concat(parts).toString('utf8')) as Document;
    if (document.lastApplied !== lastIncludedIndex) throw new Error('snapshot of another index');
    this.registers.clear();
    for (const [key, register] of document.registers) this.registers.set(key, register);
    this.#lastApplied = lastIncludedIndex;
  }

  reset(): Promise<void> {
    this.registers.clear();
    this.#lastApplied = 0;
    return Promise.resolve();
  }

  stateHash(): Promise<string> {
    const text = JSON.stringify(this.#document());
    return Promise.resolve(createHash('sha256').update(text).digest('hex'));
  }

  #document(): Document {
    const registers = [...this.registers].sort(([a], [b]) => (a < b ? -1 : 1));
    return { lastApplied: this.#lastApplied, registers };
  }
}
