import { decodeRecord } from './codec';
import type { ListEntry } from './commands';

/** What a list shows of a version beside its key, as the record of the version begins with it. */
export type ListFields = [
  isDeleteMarker: boolean,
  sizeBytes: number,
  etag: string,
  lastModifiedMs: number,
  storageClass: string,
  owner: string,
  checksumAlgorithm: ListEntry['checksumAlgorithm'],
  checksumType: ListEntry['checksumType'],
];

type ListRow = readonly [key: string, fields: ListFields];

const START_BYTES = 64 * 1024;
/** An array of a number of elements in 32 bits, an array of two, texts by the size of their length. */
const ARRAY_32 = 0xdd;
const ARRAY_OF_2 = 0x92;
const TEXT_8 = 0xd9;
const TEXT_16 = 0xda;
const HEAD_BYTES = 5;
const ROW_OVERHEAD_BYTES = 4;

/**
 * Entries of a list on their way: MessagePack of a {@link ListRow} each. The fields are copied from
 * the records as they are stored, so that only who shows them decodes them.
 */
export class ListRowWriter {
  #buffer = Buffer.allocUnsafe(START_BYTES);
  #at = HEAD_BYTES;
  #count = 0;

  /** `key` in UTF-8, less than 64 KiB; `fields` the MessagePack of {@link ListFields}. */
  add(key: Uint8Array, fields: Uint8Array): void {
    this.#reserve(key.length + fields.length + ROW_OVERHEAD_BYTES);
    const buffer = this.#buffer;
    buffer[this.#at] = ARRAY_OF_2;
    if (key.length < 0x100) {
      buffer[this.#at + 1] = TEXT_8;
      buffer[this.#at + 2] = key.length;
      this.#at += 3;
    } else {
      buffer[this.#at + 1] = TEXT_16;
      buffer.writeUInt16BE(key.length, this.#at + 2);
      this.#at += 4;
    }
    buffer.set(key, this.#at);
    buffer.set(fields, this.#at + key.length);
    this.#at += key.length + fields.length;
    this.#count += 1;
  }

  finish(): Buffer {
    this.#buffer[0] = ARRAY_32;
    this.#buffer.writeUInt32BE(this.#count, 1);
    return this.#buffer.subarray(0, this.#at);
  }

  #reserve(sizeBytes: number): void {
    if (this.#at + sizeBytes <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafe(2 * this.#buffer.length + sizeBytes);
    larger.set(this.#buffer.subarray(0, this.#at));
    this.#buffer = larger;
  }
}

/** What a {@link ListRowWriter} wrote. */
export function decodeListRows(rows: Uint8Array): ListEntry[] {
  return (decodeRecord(rows) as readonly ListRow[]).map(([key, fields]) =>
    listEntryOf(key, fields),
  );
}

/** The entry of a version that is no delete marker. */
export function listEntryOf(key: string, fields: ListFields): ListEntry {
  return {
    key,
    sizeBytes: fields[1],
    etag: fields[2],
    lastModifiedMs: fields[3],
    storageClass: fields[4],
    owner: fields[5],
    checksumAlgorithm: fields[6],
    checksumType: fields[7],
  };
}
