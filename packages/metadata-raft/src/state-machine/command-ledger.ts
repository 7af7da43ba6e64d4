import { COMMAND_RETRY_WINDOW_MS } from '@azimuth/proto';
import type { Command } from '@azimuth/proto';

import type { CheckedStore } from './checked-store';
import type { CommandContext } from './command-context';
import type { Counters } from './counters';
import { ExpiryQueue } from './expiry-queue';
import { plainKey } from './record-keys';

/** How far a proposer's clock may be ahead of the log's time. */
export const CLOCK_SKEW_MAX_MS = 60_000;

/**
 * The answers of recent commands, so that a retry is answered as the first attempt was.
 *
 * L1 A command is refused when it was issued more than COMMAND_RETRY_WINDOW_MS ago, or more than
 *    CLOCK_SKEW_MAX_MS from now.
 * L2 An answer is kept for the sum of both after it was given. By L1 no copy of its command is
 *    accepted later than that: issued ≤ applied + skew, so its window ends before the answer goes.
 */
export class CommandLedger {
  readonly #records: CheckedStore;
  readonly #expiry: ExpiryQueue;

  constructor(records: CheckedStore, counters: Counters) {
    this.#records = records;
    this.#expiry = new ExpiryQueue(records, counters, 'ledger');
  }

  /** The encoded answer that was given before. */
  recall(command: Command): Buffer | null {
    return this.#records.get(commandKey(command));
  }

  isExpired(command: Command, { nowMs }: CommandContext): boolean {
    return (
      command.issuedMs + COMMAND_RETRY_WINDOW_MS < nowMs ||
      command.issuedMs > nowMs + CLOCK_SKEW_MAX_MS
    );
  }

  remember(command: Command, answer: Buffer, { nowMs }: CommandContext): void {
    const key = commandKey(command);
    this.#records.put(key, answer);
    this.#expiry.push(key, nowMs + COMMAND_RETRY_WINDOW_MS + CLOCK_SKEW_MAX_MS);
  }

  reload(): void {
    this.#expiry.reload();
  }

  evict(nowMs: number): void {
    this.#expiry.evict(nowMs);
  }
}

function commandKey(command: Command): Buffer {
  return plainKey('c', Buffer.from(command.commandId, 'hex'));
}
