import { crc32c } from '@node-rs/crc32';

import { PAGE_BYTES, PAGE_CHECKSUM_BYTES } from '@azimuth/clients';

/** Pages of a shard of `shardSizeBytes`; the last one may be short. */
export function pageCount(shardSizeBytes: number): number {
  return Math.ceil(shardSizeBytes / PAGE_BYTES);
}

export function checksumTableBytes(shardSizeBytes: number): number {
  return pageCount(shardSizeBytes) * PAGE_CHECKSUM_BYTES;
}

/** CRC-32C of every page of a byte stream, computed while the bytes pass: no second look at them. */
export class PageChecksums {
  readonly #table: Buffer;
  #pageIndex = 0;
  #pageFilledBytes = 0;
  #checksum = 0;

  constructor(shardSizeBytes: number) {
    this.#table = Buffer.alloc(checksumTableBytes(shardSizeBytes));
  }

  update(chunk: Uint8Array): void {
    let from = 0;
    while (from < chunk.byteLength) {
      const to = Math.min(chunk.byteLength, from + PAGE_BYTES - this.#pageFilledBytes);
      this.#checksum = crc32c(chunk.subarray(from, to), this.#checksum);
      this.#pageFilledBytes += to - from;
      if (this.#pageFilledBytes === PAGE_BYTES) this.#endPage();
      from = to;
    }
  }

  /** The table of all pages, once every byte was seen. */
  finish(): Buffer {
    if (this.#pageFilledBytes > 0) this.#endPage();
    return this.#table;
  }

  #endPage(): void {
    this.#table.writeUInt32BE(this.#checksum, this.#pageIndex * PAGE_CHECKSUM_BYTES);
    this.#pageIndex += 1;
    this.#pageFilledBytes = 0;
    this.#checksum = 0;
  }
}

/** Index of the first page of `bytes` that does not match its entry in `table`; −1 when all do. */
export function findBadPage(bytes: Uint8Array, table: Buffer): number {
  for (let page = 0; page * PAGE_BYTES < bytes.byteLength; page += 1) {
    const from = page * PAGE_BYTES;
    const checksum = crc32c(bytes.subarray(from, Math.min(from + PAGE_BYTES, bytes.byteLength)));
    if (checksum !== table.readUInt32BE(page * PAGE_CHECKSUM_BYTES)) return page;
  }
  return -1;
}
