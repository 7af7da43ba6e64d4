import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';

import type { Clock } from './clock';
import type { Logger } from './logger';

/** So many starts in a row may end before they settle; what the next one opens is discarded. */
const UNSETTLED_STARTS_MAX = 2;
/** What a start leaves to LevelDB, compaction above all, shows its damage within this time. */
export const SETTLE_MS = 30_000;

export interface UnsettledStartsOptions {
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Counts the starts of a process that ended before anyone could say why. A store that meets damage
 * with an assertion takes the process with it, and would at every start: nothing in the process can
 * catch that, but the next one can know of it. Only for what can be made again.
 *
 * U1 A start counts from before it opens anything until it has run for SETTLE_MS, or has ended by
 *    an error or on request: whoever can still say so was not aborted.
 * U2 Nothing is discarded while a process that counted itself is alive: it may have the store open.
 * U3 A discard counts from one again, so that what was made again has as many starts as before.
 */
export class UnsettledStarts {
  readonly #path: string;
  readonly #options: UnsettledStartsOptions;
  #cancel: (() => void) | null = null;

  /** `path` names a file with a line for each start: the id of its process. */
  constructor(path: string, options: UnsettledStartsOptions) {
    this.#path = path;
    this.#options = options;
  }

  /** Counts this start, durably; true when what it is about to open must be discarded. */
  begin(): boolean {
    const earlier = this.#read();
    const isDue = earlier.length >= UNSETTLED_STARTS_MAX && !earlier.some(isOtherAlive);
    const starts = isDue ? [process.pid] : [...earlier, process.pid];
    // A disk that is full must not stop a node: then this start is not counted.
    this.#attempt(() => {
      mkdirSync(dirname(this.#path), { recursive: true });
      writeDurably(this.#path, starts.map((pid) => `${pid}\n`).join(''));
    });
    return isDue;
  }

  /** Everything is open: the start is settled after SETTLE_MS. */
  settleLater(): void {
    this.#cancel ??= this.#options.clock.schedule(SETTLE_MS, () => this.settle());
  }

  /** Ends the count. Safe to call twice. */
  settle(): void {
    this.#cancel?.();
    this.#cancel = null;
    this.#attempt(() => rmSync(this.#path, { force: true }));
  }

  #read(): number[] {
    try {
      const lines = readFileSync(this.#path, 'utf8').split('\n');
      return lines.filter((line) => line !== '').map(Number);
    } catch {
      return [];
    }
  }

  #attempt(action: () => void): void {
    try {
      action();
    } catch (error) {
      this.#options.logger.warn({ path: this.#path, error }, 'starts cannot be counted');
    }
  }
}

/** A container gives the same id to every start, so this process's own says nothing. */
function isOtherAlive(pid: number): boolean {
  if (!Number.isSafeInteger(pid) || pid <= 0 || pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function writeDurably(path: string, text: string): void {
  const file = openSync(path, 'w');
  try {
    writeFileSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  const directory = openSync(dirname(path), 'r');
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}
