import { crc32c } from '@node-rs/crc32';

import type { LogDisk } from '../disk/log-disk';

const MAGIC = Buffer.from('AZHOLD01');

/**
 * Which value files the snapshots on this disk refer to: `hold-<index>`, durable before the
 * snapshot up to `index` is. Little-endian: magic(8) · count u32 · file numbers u32 · CRC32C of all
 * before.
 */
export class ValueHolds {
  readonly #disk: LogDisk;
  /** By the index of the snapshot; null holds every file, because the list cannot be read. */
  readonly #holds = new Map<number, ReadonlySet<number> | null>();

  private constructor(disk: LogDisk) {
    this.#disk = disk;
  }

  static async open(disk: LogDisk): Promise<ValueHolds> {
    const holds = new ValueHolds(disk);
    for (const name of await disk.list()) {
      if (name.startsWith('hold-') && name.endsWith('.part')) await disk.remove(name);
      const index = parseName(name);
      if (index === null) continue;
      const file = await disk.open(name);
      holds.#holds.set(index, decodeHold(file.read(0, file.sizeBytes)));
      await file.close();
    }
    return holds;
  }

  isHeld(number: number): boolean {
    for (const held of this.#holds.values()) if (held === null || held.has(number)) return true;
    return false;
  }

  /** Durable when it resolves. What was held for `index` stays held. */
  async add(index: number, more: readonly number[]): Promise<void> {
    const name = holdName(index);
    // A snapshot of the same index is there until the new one is, and after a restart the state may
    // have its values in other files.
    const before = this.#holds.get(index);
    const numbers = [...new Set([...(before ?? []), ...more])];
    // At once, so that nothing goes while the file is written.
    this.#holds.set(index, before === null ? null : new Set(numbers));
    const file = await this.#disk.open(`${name}.part`);
    try {
      await file.truncate(0);
      await file.write(0, encodeHold(numbers));
      await file.sync();
    } finally {
      await file.close();
    }
    await this.#disk.rename(`${name}.part`, name);
    await this.#disk.syncDirectory();
  }

  /** The snapshots before `index` are gone. */
  async release(index: number): Promise<void> {
    for (const held of [...this.#holds.keys()]) {
      if (held >= index) continue;
      this.#holds.delete(held);
      await this.#disk.remove(holdName(held));
    }
  }
}

function encodeHold(numbers: readonly number[]): Buffer {
  const bytes = Buffer.alloc(16 + 4 * numbers.length);
  MAGIC.copy(bytes);
  bytes.writeUInt32LE(numbers.length, 8);
  for (const [position, number] of numbers.entries()) {
    bytes.writeUInt32LE(number, 12 + 4 * position);
  }
  bytes.writeUInt32LE(crc32c(bytes.subarray(0, -4)), bytes.length - 4);
  return bytes;
}

function decodeHold(bytes: Buffer): ReadonlySet<number> | null {
  if (bytes.length < 16 || !bytes.subarray(0, 8).equals(MAGIC)) return null;
  const count = bytes.readUInt32LE(8);
  if (bytes.length !== 16 + 4 * count) return null;
  if (crc32c(bytes.subarray(0, -4)) !== bytes.readUInt32LE(bytes.length - 4)) return null;
  return new Set(Array.from({ length: count }, (_, at) => bytes.readUInt32LE(12 + 4 * at)));
}

function holdName(index: number): string {
  return `hold-${String(index).padStart(16, '0')}`;
}

function parseName(name: string): number | null {
  const match = /^hold-(\d{16})$/.exec(name);
  return match === null ? null : Number(match[1]);
}
