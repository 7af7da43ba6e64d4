import type { ShardAttributes } from '@azimuth/clients';
import { PAGE_BYTES, PAGE_CHECKSUM_BYTES, pageChecksum } from '@azimuth/clients';
import { StoreError } from '@azimuth/common';

import type { DiskFile } from '../disk/disk';
import { isSystemError } from '../disk/disk';
import type { ShardLocation } from '../index/index-record';
import { findBadPage, pageCount } from '../segment/page-checksums';
import { decodeRecordHeader, RECORD_HEADER_BYTES } from '../segment/segment-format';
import type { RecordHead } from '../segment/segment-format';
import type { BufferPool } from './buffer-pool';
import type { ShardRange, ShardReader } from './shard-store';

/** Bytes of one read and one piece handed out. */
export const READ_PIECE_BYTES = 1024 * 1024;

export interface ReaderSource {
  readonly file: DiskFile;
  readonly diskId: string;
  readonly location: ShardLocation;
  readonly pool: BufferPool;
  release(): void;
  /** Called once when the shard turns out to be damaged. */
  onCorrupt(problem: string): void;
}

/** Reads a range page by page, verified against the stored table, in pieces of a pooled buffer. */
export class SegmentShardReader implements ShardReader {
  readonly lengthBytes: number;
  readonly table: Buffer;
  readonly #source: ReaderSource;
  readonly #offsetBytes: number;
  /** End of the last page in range: what has to be read to verify it. */
  readonly #pagesEndBytes: number;
  #buffer: Buffer | null;
  #positionBytes: number;
  #isClosed = false;

  private constructor(
    source: ReaderSource,
    range: ShardRange,
    pages: { readonly endBytes: number; readonly table: Buffer },
  ) {
    this.#source = source;
    this.#offsetBytes = range.offsetBytes;
    this.#positionBytes = range.offsetBytes;
    this.lengthBytes = range.lengthBytes;
    this.#pagesEndBytes = pages.endBytes;
    this.table = pages.table;
    this.#buffer = source.pool.take();
  }

  /** Takes over `source`: its file is released by `close`, or here when this rejects. */
  static async open(source: ReaderSource, range: ShardRange): Promise<SegmentShardReader> {
    const { location } = source;
    const { shardSizeBytes } = location.attributes;
    const end = Math.min(range.offsetBytes + range.lengthBytes, shardSizeBytes);
    const firstPage = range.offsetBytes / PAGE_BYTES;
    const endPage = pageCount(end);
    const table = Buffer.alloc((endPage - firstPage) * PAGE_CHECKSUM_BYTES);
    const header = Buffer.alloc(RECORD_HEADER_BYTES);
    const tableAt = location.offsetBytes + RECORD_HEADER_BYTES + shardSizeBytes;
    try {
      await Promise.all([
        readOrCorrupt(source, header, location.offsetBytes),
        readOrCorrupt(source, table, tableAt + firstPage * PAGE_CHECKSUM_BYTES),
      ]);
      if (!isHeaderOf(header, location, source.diskId)) throw corrupt(source, 'record header');
    } catch (error) {
      source.release();
      throw error;
    }
    const exact = { offsetBytes: range.offsetBytes, lengthBytes: end - range.offsetBytes };
    const endBytes = Math.min(endPage * PAGE_BYTES, shardSizeBytes);
    return new SegmentShardReader(source, exact, { endBytes, table });
  }

  get attributes(): ShardAttributes {
    return this.#source.location.attributes;
  }

  async next(): Promise<Uint8Array | null> {
    if (this.#positionBytes >= this.#pagesEndBytes || this.#buffer === null) return null;
    const from = this.#positionBytes;
    const lengthBytes = Math.min(READ_PIECE_BYTES, this.#pagesEndBytes - from);
    const piece = this.#buffer.subarray(0, lengthBytes);
    const fileOffset = this.#source.location.offsetBytes + RECORD_HEADER_BYTES + from;
    await readOrCorrupt(this.#source, piece, fileOffset);
    const tableFrom = ((from - this.#offsetBytes) / PAGE_BYTES) * PAGE_CHECKSUM_BYTES;
    if (findBadPage(piece, this.table.subarray(tableFrom)) >= 0) {
      throw corrupt(this.#source, 'shard bytes');
    }
    this.#positionBytes = from + lengthBytes;
    return this.#cutToRange(piece, from);
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (this.#buffer !== null) this.#source.pool.give(this.#buffer);
    this.#buffer = null;
    this.#source.release();
  }

  /** A range that ends inside a page is sent with the checksum of that shorter page. */
  #cutToRange(piece: Buffer, from: number): Buffer {
    const endBytes = this.#offsetBytes + this.lengthBytes;
    if (from + piece.byteLength <= endBytes) return piece;
    const cut = piece.subarray(0, endBytes - from);
    const lastPageFrom = Math.floor((cut.byteLength - 1) / PAGE_BYTES) * PAGE_BYTES;
    const checksum = pageChecksum(cut.subarray(lastPageFrom));
    this.table.writeUInt32BE(checksum, this.table.byteLength - PAGE_CHECKSUM_BYTES);
    return cut;
  }
}

/** The header on the disk names this shard, at this place: neither stale nor misdirected bytes. */
function isHeaderOf(header: Buffer, location: ShardLocation, diskId: string): boolean {
  const salt = header.toString('hex', 72, 80);
  const binding = { diskId, segment: location.segment, salt };
  const head = decodeRecordHeader(header, binding, location.offsetBytes);
  return head !== null && isSameHead(head, location);
}

export function isSameHead(a: RecordHead, b: RecordHead): boolean {
  return (
    a.kind === b.kind &&
    a.id.blobId === b.id.blobId &&
    a.id.shardIndex === b.id.shardIndex &&
    isSameAttributes(a.attributes, b.attributes)
  );
}

export function isSameAttributes(a: ShardAttributes, b: ShardAttributes): boolean {
  return (
    a.pgId === b.pgId &&
    a.profile.k === b.profile.k &&
    a.profile.m === b.profile.m &&
    a.blobSizeBytes === b.blobSizeBytes &&
    a.blockBytes === b.blockBytes &&
    a.shardSizeBytes === b.shardSizeBytes
  );
}

/** A sector that cannot be read is damage like any other: other shards and repair make up for it. */
async function readOrCorrupt(
  source: ReaderSource,
  target: Uint8Array,
  offsetBytes: number,
): Promise<void> {
  let filled: number;
  try {
    filled = await source.file.read(target, offsetBytes);
  } catch (error) {
    if (!isSystemError(error, 'EIO')) throw error;
    throw corrupt(source, 'read error');
  }
  if (filled < target.byteLength) throw corrupt(source, 'record is cut off');
}

function corrupt(source: ReaderSource, problem: string): StoreError {
  source.onCorrupt(problem);
  return new StoreError('SHARD_CORRUPT', { ...source.location.id, problem });
}
