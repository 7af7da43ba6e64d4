import { decodeRecord, encodeRecord } from '@azimuth/proto';

import type { CheckedStore } from './checked-store';
import type { Counters } from './counters';
import { sequenceKey } from './record-keys';

/** At most this many records are forgotten with one entry, which adds at most one. */
const EVICTIONS_PER_ENTRY_MAX = 4;

/**
 * Record keys to delete when their time has come, oldest first, in a queue with dense numbers: so
 * that expiry is part of apply and costs exact reads only. Every record stays for the same time.
 */
export class ExpiryQueue {
  readonly #records: CheckedStore;
  readonly #counters: Counters;
  readonly #name: 'ledger' | 'tombstone';
  /** When the record at the head expires, once it has been read. */
  #headExpiry: { readonly sequence: number; readonly expiresMs: number } | null = null;

  constructor(records: CheckedStore, counters: Counters, name: 'ledger' | 'tombstone') {
    this.#records = records;
    this.#counters = counters;
    this.#name = name;
  }

  push(recordKey: Buffer, expiresMs: number): void {
    const sequence = this.#counters[`${this.#name}Tail`];
    this.#counters[`${this.#name}Tail`] = sequence + 1;
    this.#records.put(this.#key(sequence), encodeRecord([expiresMs, recordKey]));
  }

  /** Forgets what was read: the records were replaced. */
  reload(): void {
    this.#headExpiry = null;
  }

  /** Deletes records that expired before `nowMs`, a bounded number of them. */
  evict(nowMs: number): void {
    for (let count = 0; count < EVICTIONS_PER_ENTRY_MAX; count += 1) {
      const head = this.#counters[`${this.#name}Head`];
      if (head === this.#counters[`${this.#name}Tail`]) return;
      if (this.#headExpiry?.sequence === head && this.#headExpiry.expiresMs >= nowMs) return;
      const queueKey = this.#key(head);
      const content = this.#records.get(queueKey);
      if (content !== null) {
        const [expiresMs, recordKey] = decodeRecord(content) as [number, Buffer];
        this.#headExpiry = { sequence: head, expiresMs };
        if (expiresMs >= nowMs) return;
        this.#records.delete(Buffer.from(recordKey));
        this.#records.delete(queueKey);
      }
      this.#counters[`${this.#name}Head`] = head + 1;
    }
  }

  #key(sequence: number): Buffer {
    return sequenceKey('x', this.#name === 'ledger' ? 'c' : 't', sequence);
  }
}
