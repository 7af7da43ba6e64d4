import { StoreError } from '@azimuth/common';
import { crc32c } from '@node-rs/crc32';

import type { ConfigurationRecord, LogIndex, Term } from '../core/message';
import type { SnapshotMark } from '../core/ready';
import type { LogDisk, LogFile } from '../disk/log-disk';

/** The configuration is null in a file that is older than changes of membership. */
export interface StoredSnapshot extends Omit<SnapshotMark, 'configuration'> {
  readonly configuration: ConfigurationRecord | null;
  readonly sizeBytes: number;
}

const MAGIC = Buffer.from('AZRSNAP1');
const HEADER_BYTES = 32;
const CRC_BYTES = 4;
const CHUNK_HEADER_BYTES = 8;
/** Larger chunks of a writer are split, so that a reader can bound its memory. */
const CHUNK_BYTES_MAX = 1024 * 1024;

/**
 * Snapshot files: `snapshot-<group>-<index>`. Little-endian: magic(8) · last included index u64 ·
 * last included term u64 · length of the configuration u32 · CRC32C of the header u32, the
 * configuration in JSON and its CRC32C u32 (nothing when the length is 0), then chunks of length
 * u32 · CRC32C u32 · bytes; a chunk of length 0, whose CRC covers the CRCs of all chunks before,
 * ends the file.
 */
export class SnapshotStore {
  readonly #disk: LogDisk;
  /** Ascending by index. */
  readonly #stored = new Map<string, StoredSnapshot[]>();

  private constructor(disk: LogDisk) {
    this.#disk = disk;
  }

  /** Finds what is there and removes what an interrupted write left. */
  static async open(disk: LogDisk): Promise<SnapshotStore> {
    const store = new SnapshotStore(disk);
    for (const name of await disk.list()) {
      if (name.endsWith('.part')) await disk.remove(name);
      const parsed = parseName(name);
      if (parsed === null) continue;
      const file = await disk.open(name);
      const header = readHeader(file);
      await file.close();
      if (header === null) continue;
      const { index, term, configuration } = header;
      store.#add(parsed.group, { index, term, configuration, sizeBytes: file.sizeBytes });
    }
    return store;
  }

  newest(group: string): StoredSnapshot | null {
    return this.#stored.get(group)?.at(-1) ?? null;
  }

  at(group: string, index: LogIndex): StoredSnapshot | null {
    return this.#stored.get(group)?.find((snapshot) => snapshot.index === index) ?? null;
  }

  /** Durable when it resolves; older files stay until {@link removeOlder}. */
  async save(
    group: string,
    mark: SnapshotMark,
    chunks: AsyncIterable<Buffer>,
  ): Promise<StoredSnapshot> {
    const name = snapshotName(group, mark.index);
    const part = `${name}.part`;
    const file = await this.#disk.open(part);
    let sizeBytes: number;
    try {
      await file.truncate(0);
      sizeBytes = await writeSnapshot(file, mark, chunks);
      await file.sync();
    } catch (error) {
      await file.close();
      await this.#disk.remove(part);
      throw error;
    }
    await file.close();
    await this.#disk.rename(part, name);
    await this.#disk.syncDirectory();
    const stored = { ...mark, sizeBytes };
    this.#add(group, stored);
    return stored;
  }

  /** @throws StoreError STATE_CORRUPT from the iteration when the file does not match its checksums. */
  async *read(group: string, index: LogIndex): AsyncGenerator<Buffer> {
    const name = snapshotName(group, index);
    const corrupt = (offset: number): StoreError =>
      new StoreError('STATE_CORRUPT', { file: name, offset });
    const file = await this.#disk.open(name);
    try {
      const header = readHeader(file);
      if (header?.index !== index) throw corrupt(0);
      let total = 0;
      let offset = header.endOffset;
      for (;;) {
        const head = file.read(offset, CHUNK_HEADER_BYTES);
        if (head.length < CHUNK_HEADER_BYTES) throw corrupt(offset);
        const length = head.readUInt32LE(0);
        const crc = head.readUInt32LE(4);
        if (length === 0) {
          if (crc !== total) throw corrupt(offset);
          return;
        }
        if (length > CHUNK_BYTES_MAX) throw corrupt(offset);
        const bytes = file.read(offset + CHUNK_HEADER_BYTES, length);
        if (bytes.length < length || crc32c(bytes) !== crc) throw corrupt(offset);
        total = crc32c(head.subarray(4), total);
        offset += CHUNK_HEADER_BYTES + length;
        yield bytes;
      }
    } finally {
      await file.close();
    }
  }

  /** Removes every file of `group`, also those that cannot be read. */
  async removeAll(group: string): Promise<void> {
    await this.removeOlder(group, Number.MAX_SAFE_INTEGER);
  }

  async removeOlder(group: string, index: LogIndex): Promise<void> {
    const kept = this.#stored.get(group)?.filter((snapshot) => snapshot.index >= index) ?? [];
    this.#stored.set(group, kept);
    for (const name of await this.#disk.list()) {
      const parsed = parseName(name);
      if (parsed?.group === group && parsed.index < index) await this.#disk.remove(name);
    }
  }

  #add(group: string, snapshot: StoredSnapshot): void {
    const others = this.#stored.get(group)?.filter(({ index }) => index !== snapshot.index) ?? [];
    this.#stored.set(
      group,
      [...others, snapshot].sort((a, b) => a.index - b.index),
    );
  }
}

async function writeSnapshot(
  file: LogFile,
  mark: SnapshotMark,
  chunks: AsyncIterable<Buffer>,
): Promise<number> {
  const header = encodeHeader(mark);
  await file.write(0, header);
  let offset = header.length;
  let total = 0;
  for await (const chunk of chunks) {
    for (let from = 0; from < chunk.length; from += CHUNK_BYTES_MAX) {
      const bytes = chunk.subarray(from, from + CHUNK_BYTES_MAX);
      const head = Buffer.alloc(CHUNK_HEADER_BYTES);
      head.writeUInt32LE(bytes.length, 0);
      head.writeUInt32LE(crc32c(bytes), 4);
      total = crc32c(head.subarray(4), total);
      await file.write(offset, Buffer.concat([head, bytes]));
      offset += CHUNK_HEADER_BYTES + bytes.length;
    }
  }
  const end = Buffer.alloc(CHUNK_HEADER_BYTES);
  end.writeUInt32LE(total, 4);
  await file.write(offset, end);
  return offset + CHUNK_HEADER_BYTES;
}

function encodeHeader(mark: SnapshotMark): Buffer {
  const configuration = Buffer.from(JSON.stringify(mark.configuration));
  const header = Buffer.alloc(HEADER_BYTES + configuration.length + CRC_BYTES);
  MAGIC.copy(header);
  header.writeBigUInt64LE(BigInt(mark.index), 8);
  header.writeBigUInt64LE(BigInt(mark.term), 16);
  header.writeUInt32LE(configuration.length, 24);
  header.writeUInt32LE(crc32c(header.subarray(0, 28)), 28);
  configuration.copy(header, HEADER_BYTES);
  header.writeUInt32LE(crc32c(configuration), HEADER_BYTES + configuration.length);
  return header;
}

interface Header {
  readonly index: LogIndex;
  readonly term: Term;
  readonly configuration: ConfigurationRecord | null;
  /** Where the first chunk begins. */
  readonly endOffset: number;
}

/** Null when it does not match its checksums. */
function readHeader(file: LogFile): Header | null {
  const header = file.read(0, HEADER_BYTES);
  if (header.length < HEADER_BYTES || !header.subarray(0, 8).equals(MAGIC)) return null;
  if (crc32c(header.subarray(0, 28)) !== header.readUInt32LE(28)) return null;
  const mark = {
    index: Number(header.readBigUInt64LE(8)),
    term: Number(header.readBigUInt64LE(16)),
  };
  const length = header.readUInt32LE(24);
  if (length === 0) return { ...mark, configuration: null, endOffset: HEADER_BYTES };
  const bytes = file.read(HEADER_BYTES, length + CRC_BYTES);
  if (bytes.length < length + CRC_BYTES) return null;
  const text = bytes.subarray(0, length);
  if (crc32c(text) !== bytes.readUInt32LE(length)) return null;
  const configuration = JSON.parse(text.toString('utf8')) as ConfigurationRecord;
  return { ...mark, configuration, endOffset: HEADER_BYTES + length + CRC_BYTES };
}

function snapshotName(group: string, index: LogIndex): string {
  return `snapshot-${group}-${String(index).padStart(16, '0')}`;
}

function parseName(name: string): { group: string; index: LogIndex } | null {
  const match = /^snapshot-(.+)-(\d{16})$/.exec(name);
  return match === null ? null : { group: match[1] ?? '', index: Number(match[2]) };
}
