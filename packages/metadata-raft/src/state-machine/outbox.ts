import { required } from '@azimuth/common';
import type { BlobRef, OutboxEntry, OutboxKind } from '@azimuth/proto';

import type { CheckedStore } from './checked-store';
import type { Counters } from './counters';
import { decodeOutboxRecord, encodeOutboxRecord } from './record-codec';
import { plainKey, sequenceKey } from './record-keys';

const LETTERS: Readonly<Record<OutboxKind, string>> = {
  repair: 'r',
  garbage: 'g',
  restripe: 's',
};
const ID_FORMAT = /^([rgs])([0-9a-f]{14})$/;

/**
 * Work that follows from commits, oldest first by kind.
 *
 * O1 A blob has at most one pending repair and one pending restripe entry, so that reports of the
 *    same damage do not pile up.
 * O2 New missing shards move the entry to a new id: acknowledging the old one does not forget them.
 * O3 A blob that becomes garbage leaves the other outboxes.
 */
export class Outbox {
  readonly #records: CheckedStore;
  readonly #counters: Counters;

  constructor(records: CheckedStore, counters: Counters) {
    this.#records = records;
    this.#counters = counters;
  }

  addRepair(blob: BlobRef, shardIndexes: readonly number[], nowMs: number): void {
    if (shardIndexes.length === 0) return;
    const missing = new Set(shardIndexes);
    let createdMs = nowMs;
    const pendingId = this.#pendingId('repair', blob.blobId);
    if (pendingId !== null) {
      const pending = required(this.#read(pendingId), 'pending repair');
      if (shardIndexes.every((index) => pending.shardIndexes.includes(index))) return;
      for (const index of pending.shardIndexes) missing.add(index);
      createdMs = pending.createdMs;
      this.acknowledge(pendingId);
    }
    const sorted = [...missing].sort((a, b) => a - b);
    this.#add('repair', { blob, shardIndexes: sorted, createdMs });
  }

  addRestripe(blob: BlobRef, nowMs: number): void {
    if (this.#pendingId('restripe', blob.blobId) !== null) return;
    this.#add('restripe', { blob, shardIndexes: [], createdMs: nowMs });
  }

  addGarbage(blob: BlobRef, nowMs: number): void {
    for (const kind of ['repair', 'restripe'] as const) {
      const pendingId = this.#pendingId(kind, blob.blobId);
      if (pendingId !== null) this.acknowledge(pendingId);
    }
    this.#add('garbage', { blob, shardIndexes: [], createdMs: nowMs });
  }

  /** Removes an entry; an unknown id is ignored. */
  acknowledge(id: string): void {
    const kind = kindOfId(id);
    const record = kind === null ? null : this.#read(id);
    if (kind === null || record === null) return;
    this.#records.delete(entryKey(id));
    if (kind !== 'garbage') this.#records.delete(pendingKey(kind, record.blob.blobId));
    this.#count(kind, -1, record.shardIndexes.length);
  }

  #add(kind: OutboxKind, record: Omit<OutboxEntry, 'id' | 'kind'>): void {
    this.#counters.outboxSequence += 1;
    const id = LETTERS[kind] + this.#counters.outboxSequence.toString(16).padStart(14, '0');
    this.#records.put(entryKey(id), encodeOutboxRecord(record));
    if (kind !== 'garbage') {
      this.#records.put(pendingKey(kind, record.blob.blobId), Buffer.from(id, 'latin1'));
    }
    this.#count(kind, 1, record.shardIndexes.length);
  }

  #count(kind: OutboxKind, sign: 1 | -1, shards: number): void {
    this.#counters[`${kind}Entries`] += sign;
    if (kind === 'repair') this.#counters.missingShards += sign * shards;
  }

  #read(id: string): Omit<OutboxEntry, 'id' | 'kind'> | null {
    const content = this.#records.get(entryKey(id));
    return content === null ? null : decodeOutboxRecord(content);
  }

  #pendingId(kind: 'repair' | 'restripe', blobId: string): string | null {
    return this.#records.get(pendingKey(kind, blobId))?.toString('latin1') ?? null;
  }
}

export function kindOfId(id: string): OutboxKind | null {
  const letter = ID_FORMAT.exec(id)?.[1];
  if (letter === undefined) return null;
  return letter === 'r' ? 'repair' : letter === 'g' ? 'garbage' : 'restripe';
}

/** Range of the entries of a kind, strictly after `afterId`. */
export function outboxRange(
  kind: OutboxKind,
  afterId: string | null,
): { from: Buffer; to: Buffer } {
  const letter = LETTERS[kind];
  const after = afterId === null ? 0 : Number.parseInt(afterId.slice(1), 16) + 1;
  return {
    from: sequenceKey('o', letter, after),
    to: Buffer.from(`o${String.fromCharCode(letter.charCodeAt(0) + 1)}`, 'latin1'),
  };
}

/** The id of an outbox record key. */
export function idOfEntryKey(key: Buffer): string {
  return key.toString('latin1', 1, 2) + key.readBigUInt64BE(2).toString(16).padStart(14, '0');
}

function entryKey(id: string): Buffer {
  return sequenceKey('o', id.slice(0, 1), Number.parseInt(id.slice(1), 16));
}

function pendingKey(kind: 'repair' | 'restripe', blobId: string): Buffer {
  return plainKey('q', Buffer.from(LETTERS[kind] + blobId, 'latin1'));
}
