import { COMMAND_RETRY_WINDOW_MS } from '@azimuth/proto';
import type { Command } from '@azimuth/proto';

import type { CheckedStore } from './checked-store';
import type { CommandContext } from './command-context';
import type { Counters } from './counters';
import { ExpiryQueue } from './expiry-queue';
import { LedgerPages } from './ledger-pages';
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
 * L3 An answer is in a page, or, to an entry of before there were pages, in a record of its own.
 */
export class CommandLedger {
  readonly #records: CheckedStore;
  readonly #counters: Counters;
  readonly #expiry: ExpiryQueue;
  readonly #pages: LedgerPages;

  constructor(records: CheckedStore, counters: Counters) {
    this.#records = records;
    this.#counters = counters;
    this.#expiry = new ExpiryQueue(records, counters, 'ledger');
    this.#pages = new LedgerPages(records, counters);
  }

  /** The answers that are in no record yet, for {@link reload}. */
  get openPage(): Buffer {
    return this.#pages.open;
  }

  /** The encoded answer that was given before. @throws StoreError STATE_CORRUPT */
  recall(command: Command): Buffer | null {
    const answer = this.#pages.find(command.commandId);
    const { ledgerHead, ledgerTail } = this.#counters;
    if (answer !== null || ledgerHead === ledgerTail) return answer;
    return this.#records.get(commandKey(command));
  }

  isExpired(command: Command, { nowMs }: CommandContext): boolean {
    return (
      command.issuedMs + COMMAND_RETRY_WINDOW_MS < nowMs ||
      command.issuedMs > nowMs + CLOCK_SKEW_MAX_MS
    );
  }

  remember(command: Command, answer: Buffer, nowMs: number, isPaged: boolean): void {
    const expiresMs = nowMs + COMMAND_RETRY_WINDOW_MS + CLOCK_SKEW_MAX_MS;
    if (isPaged) {
      this.#pages.add(command.commandId, answer, expiresMs);
      return;
    }
    const key = commandKey(command);
    this.#records.put(key, answer);
    this.#expiry.push(key, expiresMs);
  }

  /** The records were replaced. */
  reload(openPage: Uint8Array): void {
    this.#expiry.reload();
    this.#pages.load(openPage);
  }

  evict(nowMs: number): void {
    this.#expiry.evict(nowMs);
    this.#pages.evict(nowMs);
  }
}

function commandKey(command: Command): Buffer {
  return plainKey('c', Buffer.from(command.commandId, 'hex'));
}
