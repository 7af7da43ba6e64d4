import { StoreError } from '@azimuth/common';

import type { CheckedStore } from './checked-store';
import type { Counters } from './counters';
import { sequenceKey } from './record-keys';

/** A page is a record of its own once it has so many answers, or so many bytes of them. */
const ANSWERS_PER_PAGE = 32;
const PAGE_BYTES = 16 * 1024;
const EXPIRY_BYTES = 8;
const ID_BYTES = 16;
const ANSWER_HEAD_BYTES = ID_BYTES + 4;
/** The end of an id, which is random, as the small integer under which it is looked up. */
const HASH_DIGITS = 7;

interface ClosedPage {
  readonly expiresMs: number;
  readonly hashes: readonly number[];
}

/**
 * Answers by command id, many to a record, in the order in which they were given: two records for
 * each command would be most of what a small commit writes, and to read one that is not there most
 * of what it reads.
 *
 * G1 The open page travels with the record of the applied index; only a closed one is a record. So
 *    which answers share a page depends on the answers alone, not on how entries were grouped.
 * G2 What is in memory says which page may have a command; the page itself is asked before it is
 *    believed.
 */
export class LedgerPages {
  readonly #records: CheckedStore;
  readonly #counters: Counters;
  #open = Buffer.allocUnsafe(PAGE_BYTES);
  #openBytes = 0;
  #openHashes: number[] = [];
  /** From `ledgerPageHead` on, oldest first. */
  #closed: ClosedPage[] = [];
  /** Pages by the hash of an id; several only where hashes meet. */
  readonly #pages = new Map<number, number | readonly number[]>();

  constructor(records: CheckedStore, counters: Counters) {
    this.#records = records;
    this.#counters = counters;
  }

  /** The answers that are in no page yet, for {@link load}. */
  get open(): Buffer {
    return this.#open.subarray(0, this.#openBytes);
  }

  /** The answer that `commandId` got; null when it is not known. @throws StoreError STATE_CORRUPT */
  find(commandId: string): Buffer | null {
    const pages = this.#pages.get(hashOf(commandId));
    if (pages === undefined) return null;
    const id = Buffer.from(commandId, 'hex');
    for (const page of typeof pages === 'number' ? [pages] : pages) {
      const answer = answerIn(this.#content(page), id);
      // What the open page is in is written over.
      if (answer !== null) return Buffer.from(answer);
    }
    return null;
  }

  /** The page that this answer completes is forgotten some time after `expiresMs`. */
  add(commandId: string, answer: Buffer, expiresMs: number): void {
    const at = this.#openBytes;
    const end = at + ANSWER_HEAD_BYTES + answer.length;
    if (end > this.#open.length) this.#grow(end);
    this.#open.write(commandId, at, 'hex');
    this.#open.writeUInt32BE(answer.length, at + ID_BYTES);
    answer.copy(this.#open, at + ANSWER_HEAD_BYTES);
    this.#openBytes = end;
    this.#note(hashOf(commandId), this.#counters.ledgerPageTail);
    const isFull = this.#openHashes.length === ANSWERS_PER_PAGE || end >= PAGE_BYTES;
    if (isFull) this.#close(expiresMs);
  }

  /** Forgets the oldest page if it expired before `nowMs`. An entry adds at most one. */
  evict(nowMs: number): void {
    const oldest = this.#closed[0];
    if (oldest === undefined || oldest.expiresMs >= nowMs) return;
    const page = this.#counters.ledgerPageHead;
    this.#records.delete(pageKey(page));
    for (const hash of oldest.hashes) this.#forget(hash, page);
    this.#closed.shift();
    this.#counters.ledgerPageHead = page + 1;
  }

  /**
   * Takes over what the records have, and the answers that were not in a page yet.
   *
   * @throws StoreError STATE_CORRUPT
   */
  load(open: Uint8Array): void {
    this.#pages.clear();
    this.#closed = [];
    this.#openHashes = [];
    const { ledgerPageHead: head, ledgerPageTail: tail } = this.#counters;
    for (let page = head; page < tail; page += 1) {
      const bytes = this.#read(page);
      for (const id of idsIn(bytes.subarray(EXPIRY_BYTES))) this.#note(hashOf(id), page);
      this.#closed.push({ expiresMs: bytes.readDoubleBE(0), hashes: this.#openHashes });
      this.#openHashes = [];
    }
    if (open.length > this.#open.length) this.#grow(open.length);
    this.#open.set(open);
    this.#openBytes = open.length;
    for (const id of idsIn(this.open)) this.#note(hashOf(id), tail);
  }

  #close(expiresMs: number): void {
    const expiry = Buffer.allocUnsafe(EXPIRY_BYTES);
    expiry.writeDoubleBE(expiresMs);
    this.#records.put(pageKey(this.#counters.ledgerPageTail), expiry, this.open);
    this.#closed.push({ expiresMs, hashes: this.#openHashes });
    this.#openHashes = [];
    this.#openBytes = 0;
    this.#counters.ledgerPageTail += 1;
  }

  #content(page: number): Buffer {
    if (page === this.#counters.ledgerPageTail) return this.open;
    return this.#read(page).subarray(EXPIRY_BYTES);
  }

  /** A store that was cut off from its power may have lost any record. */
  #read(page: number): Buffer {
    const bytes = this.#records.get(pageKey(page));
    if (bytes === null) throw new StoreError('STATE_CORRUPT', { ledgerPage: page });
    return bytes;
  }

  #note(hash: number, page: number): void {
    const known = this.#pages.get(hash);
    this.#pages.set(hash, known === undefined ? page : [known, page].flat());
    this.#openHashes.push(hash);
  }

  #forget(hash: number, page: number): void {
    const left = [this.#pages.get(hash) ?? []].flat().filter((each) => each !== page);
    if (left.length === 0) this.#pages.delete(hash);
    else this.#pages.set(hash, left);
  }

  #grow(sizeBytes: number): void {
    const grown = Buffer.allocUnsafe(2 * sizeBytes);
    this.open.copy(grown);
    this.#open = grown;
  }
}

function hashOf(commandId: string): number {
  return Number.parseInt(commandId.slice(-HASH_DIGITS), 16);
}

/** Within a page: id (16), length of the answer u32, answer. */
function* answersIn(content: Buffer): Generator<readonly [at: number, answer: Buffer]> {
  for (let at = 0; at < content.length;) {
    const start = at + ANSWER_HEAD_BYTES;
    const end = start + content.readUInt32BE(at + ID_BYTES);
    yield [at, content.subarray(start, end)];
    at = end;
  }
}

function answerIn(content: Buffer, id: Buffer): Buffer | null {
  for (const [at, answer] of answersIn(content)) {
    if (id.compare(content, at, at + ID_BYTES) === 0) return answer;
  }
  return null;
}

function* idsIn(content: Buffer): Generator<string> {
  for (const [at] of answersIn(content)) yield content.toString('hex', at, at + ID_BYTES);
}

function pageKey(page: number): Buffer {
  return sequenceKey('x', 'p', page);
}
