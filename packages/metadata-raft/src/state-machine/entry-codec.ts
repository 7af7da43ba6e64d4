import { decodeRecord, encodeRecord } from '@azimuth/proto';
import type { Command } from '@azimuth/proto';

/**
 * What a log entry holds: `[time, command, format]` in MessagePack. The format says how the answer
 * is kept, so that all replicas keep it alike whichever version wrote the entry: 1 in a page of the
 * ledger; absent, as before there were pages, in a record of its own.
 */
const FORMAT_PAGED = 1;
/** An array of three; a float64. */
const ARRAY_OF_3 = 0x93;
const FLOAT64 = 0xcb;
const HEAD_BYTES = 10;

export interface DecodedEntry {
  /** The leader's time. */
  readonly nowMs: number;
  readonly command: Command;
  readonly isPaged: boolean;
}

export function encodeEntry(nowMs: number, command: Command): Buffer {
  return encodeRecord([nowMs, command, FORMAT_PAGED]);
}

/** The same of a command that is encoded already: its bytes are copied, not made again. */
export function encodeEntryOf(nowMs: number, commandBytes: Uint8Array): Buffer {
  const entry = Buffer.allocUnsafe(HEAD_BYTES + commandBytes.length + 1);
  entry[0] = ARRAY_OF_3;
  entry[1] = FLOAT64;
  entry.writeDoubleBE(nowMs, 2);
  entry.set(commandBytes, HEAD_BYTES);
  entry[entry.length - 1] = FORMAT_PAGED;
  return entry;
}

export function decodeEntry(data: Uint8Array): DecodedEntry {
  const [nowMs, command, format] = decodeRecord(data) as [number, Command, number?];
  return { nowMs, command, isPaged: format === FORMAT_PAGED };
}

/** Finds the command in requests that propose to one group. */
export class CommandFinder {
  readonly #head: Buffer;

  constructor(group: string) {
    const request = { kind: 'propose', group, command: null };
    const bytes = encodeRecord(request);
    // Without the nil in the place of the command.
    this.#head = bytes.subarray(0, -1);
  }

  /**
   * The bytes of the command in a request that was decoded, so that nothing comes after them; null
   * when the request has other fields too, or in another order.
   */
  find(body: Buffer): Buffer | null {
    const { length } = this.#head;
    if (body.length < length || this.#head.compare(body, 0, length) !== 0) return null;
    return body.subarray(length);
  }
}
