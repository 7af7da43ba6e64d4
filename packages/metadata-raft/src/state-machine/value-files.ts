import { assert, required, StoreError } from '@azimuth/common';
import { crc32c } from '@node-rs/crc32';

import type { LogDisk, LogFile } from '../disk/log-disk';
import type { ValueReference } from './key-value-store';

const MAGIC = Buffer.from('AZVALUE1');
export const FILE_HEADER_BYTES = 16;
const RECORD_HEADER_BYTES = 8;
const FILE_BYTES_MAX = 32 * 1024 * 1024;

export interface LargeValue {
  readonly key: Buffer;
  /** Ends with a checksum over key and content. */
  readonly value: Buffer;
}

/** A record as it stands in a file. */
export interface FoundValue extends LargeValue {
  readonly reference: ValueReference;
  /** Where the next record begins. */
  readonly end: number;
}

export interface ValueFile {
  readonly number: number;
  readonly file: LogFile;
  /** Where the records end; what is behind was never referred to. */
  endOffset: number;
  /** Bytes of records that the store refers to. */
  liveBytes: number;
  /** How many readers had been made when the store was found to refer to nothing in the file. */
  emptiedAt: number | null;
  syncedOffset: number;
}

/**
 * Append-only files of large values, `values-<number>`. Little-endian: magic(8) · number u32 ·
 * CRC32C of both u32, then records: key length u32 · value length u32 · key · value. What the store
 * refers to is never changed in place, so a snapshot can refer to it as well.
 */
export class ValueFiles {
  readonly #disk: LogDisk;
  readonly #fileBytesMax: number;
  readonly #files: Map<number, ValueFile>;
  #active: ValueFile | null = null;
  #lastNumber: number;

  private constructor(disk: LogDisk, fileBytesMax: number, files: Map<number, ValueFile>) {
    this.#disk = disk;
    this.#fileBytesMax = fileBytesMax;
    this.#files = files;
    this.#lastNumber = Math.max(0, ...files.keys());
  }

  static async open(disk: LogDisk, fileBytesMax = FILE_BYTES_MAX): Promise<ValueFiles> {
    const files = new Map<number, ValueFile>();
    const numbers = (await disk.list()).map(parseName).filter((number) => number !== null);
    for (const number of numbers.sort((a, b) => a - b)) {
      files.set(number, newFile(number, await disk.open(fileName(number))));
    }
    return new ValueFiles(disk, fileBytesMax, files);
  }

  all(): readonly ValueFile[] {
    return [...this.#files.values()];
  }

  get(number: number): ValueFile | null {
    return this.#files.get(number) ?? null;
  }

  isActive(file: ValueFile): boolean {
    return file === this.#active;
  }

  /** The store knows of a file of this number, which may be gone. */
  neverAgain(number: number): void {
    this.#lastNumber = Math.max(this.#lastNumber, number);
  }

  /** Goes on with the newest file when its last write is known to be whole. */
  resume(file: ValueFile): void {
    assert(file.number === this.#lastNumber, 'only the newest file may grow');
    this.#active = file;
  }

  /** The next value begins a new file. */
  seal(): void {
    this.#active = null;
  }

  /** One write for all values; not durable. Answers where each of them is. */
  async append(values: readonly LargeValue[]): Promise<readonly ValueReference[]> {
    const target = await this.#fileToWrite();
    const sizeBytes = values.reduce(
      (sum, { key, value }) => sum + recordBytes(key, value.length),
      0,
    );
    const bytes = Buffer.allocUnsafe(sizeBytes);
    const references: ValueReference[] = [];
    let offset = 0;
    for (const { key, value } of values) {
      bytes.writeUInt32LE(key.length, offset);
      bytes.writeUInt32LE(value.length, offset + 4);
      key.copy(bytes, offset + RECORD_HEADER_BYTES);
      const valueAt = offset + RECORD_HEADER_BYTES + key.length;
      value.copy(bytes, valueAt);
      references.push({
        file: target.number,
        offset: target.endOffset + valueAt,
        sizeBytes: value.length,
        checksum: checksumOf(value),
      });
      offset = valueAt + value.length;
    }
    await target.file.write(target.endOffset, bytes);
    target.endOffset += sizeBytes;
    return references;
  }

  /** @throws StoreError STATE_CORRUPT when the file does not have that value there. */
  read(reference: ValueReference): Buffer {
    const { file: number, offset, sizeBytes, checksum } = reference;
    const value = this.#files.get(number)?.file.read(offset, sizeBytes);
    if (value?.length !== sizeBytes || checksumOf(value) !== checksum) {
      throw new StoreError('STATE_CORRUPT', { file: fileName(number), offset });
    }
    return value;
  }

  /** The record at `offset`; null at the end. @throws StoreError STATE_CORRUPT */
  recordAt(file: ValueFile, offset: number): FoundValue | null {
    const at = Math.max(offset, FILE_HEADER_BYTES);
    if (at >= file.endOffset) return null;
    const header = file.file.read(at, RECORD_HEADER_BYTES);
    const keyBytes = header.length < RECORD_HEADER_BYTES ? 0 : header.readUInt32LE(0);
    const sizeBytes = keyBytes === 0 ? 0 : header.readUInt32LE(4);
    const valueAt = at + RECORD_HEADER_BYTES + keyBytes;
    const end = valueAt + sizeBytes;
    if (sizeBytes < 4 || end > file.endOffset) {
      throw new StoreError('STATE_CORRUPT', { file: fileName(file.number), offset: at });
    }
    const record = file.file.read(at + RECORD_HEADER_BYTES, keyBytes + sizeBytes);
    const key = record.subarray(0, keyBytes);
    const value = record.subarray(keyBytes);
    const checksum = checksumOf(value);
    return {
      key,
      value,
      end,
      reference: { file: file.number, offset: valueAt, sizeBytes, checksum },
    };
  }

  /** Makes everything durable that was written to `files` before this call. */
  async sync(files: readonly ValueFile[]): Promise<void> {
    for (const file of files) {
      const { endOffset } = file;
      if (file.syncedOffset >= endOffset) continue;
      await file.file.sync();
      file.syncedOffset = endOffset;
    }
    await this.#disk.syncDirectory();
  }

  async remove(file: ValueFile): Promise<void> {
    if (file === this.#active) this.#active = null;
    if (!this.#files.delete(file.number)) return;
    await file.file.close();
    await this.#disk.remove(fileName(file.number));
  }

  async close(): Promise<void> {
    for (const { file } of this.#files.values()) await file.close();
  }

  async #fileToWrite(): Promise<ValueFile> {
    const current = this.#active;
    if (current !== null && current.endOffset < this.#fileBytesMax) return current;
    const number = this.#lastNumber + 1;
    const file = await this.#disk.open(fileName(number));
    const header = Buffer.alloc(FILE_HEADER_BYTES);
    MAGIC.copy(header);
    header.writeUInt32LE(number, 8);
    header.writeUInt32LE(crc32c(header.subarray(0, 12)), 12);
    await file.truncate(0);
    await file.write(0, header);
    const created = newFile(number, file);
    this.#lastNumber = number;
    this.#files.set(number, created);
    this.#active = created;
    return created;
  }
}

/** The bytes that a value takes in a file. */
export function recordBytes(key: Buffer, sizeBytes: number): number {
  return RECORD_HEADER_BYTES + key.length + sizeBytes;
}

/** The bytes of records in a file, live or not. */
export function usedBytes(file: ValueFile): number {
  return Math.max(0, file.endOffset - FILE_HEADER_BYTES);
}

export const REFERENCE_BYTES = 18;

/** Little-endian: file u32 · offset u48 · size u32 · checksum u32. */
export function encodeReference(reference: ValueReference): Buffer {
  const bytes = Buffer.allocUnsafe(REFERENCE_BYTES);
  bytes.writeUInt32LE(reference.file, 0);
  bytes.writeUIntLE(reference.offset, 4, 6);
  bytes.writeUInt32LE(reference.sizeBytes, 10);
  bytes.writeUInt32LE(reference.checksum, 14);
  return bytes;
}

/** @throws StoreError STATE_CORRUPT */
export function decodeReference(bytes: Buffer): ValueReference {
  if (bytes.length !== REFERENCE_BYTES)
    throw new StoreError('STATE_CORRUPT', { reference: 'size' });
  return {
    file: bytes.readUInt32LE(0),
    offset: bytes.readUIntLE(4, 6),
    sizeBytes: bytes.readUInt32LE(10),
    checksum: bytes.readUInt32LE(14),
  };
}

/** The last four bytes of a value are its checksum, over key and content. */
function checksumOf(value: Buffer): number {
  return value.readUInt32LE(value.length - 4);
}

function newFile(number: number, file: LogFile): ValueFile {
  const endOffset = Math.max(file.sizeBytes, FILE_HEADER_BYTES);
  return { number, file, endOffset, liveBytes: 0, emptiedAt: null, syncedOffset: 0 };
}

function fileName(number: number): string {
  return `values-${String(number).padStart(10, '0')}`;
}

function parseName(name: string): number | null {
  const match = /^values-(\d{10})$/.exec(name);
  return match === null ? null : Number(required(match[1], 'number'));
}
