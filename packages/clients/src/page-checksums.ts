import { crc32 } from '@node-rs/crc32';

import { PAGE_BYTES, PAGE_CHECKSUM_BYTES } from './storage-client';

/** Bytes of the checksum table behind `lengthBytes` of shard bytes that start at a page. */
export function checksumTableBytes(lengthBytes: number): number {
  return Math.ceil(lengthBytes / PAGE_BYTES) * PAGE_CHECKSUM_BYTES;
}

/**
 * The checksum of a page: CRC-32 (ISO-HDLC, as in zlib), of what comes after bytes with the
 * checksum `previous`. Every other record has a CRC-32C; pages are nearly all bytes there are, and
 * this one costs less than half (docs/decisions/0010).
 */
export function pageChecksum(bytes: Uint8Array, previous = 0): number {
  return crc32(bytes, previous);
}

/** The checksum of each 64 KiB page of a byte sequence that arrives in pieces of any size. */
export class PageChecksums {
  readonly #table: Buffer;
  #tableEnd = 0;
  #pageCrc = 0;
  #pageFill = 0;

  /** `lengthBytes` is the exact length of the sequence. */
  constructor(lengthBytes: number) {
    this.#table = Buffer.allocUnsafe(checksumTableBytes(lengthBytes));
  }

  update(bytes: Uint8Array): void {
    let from = 0;
    while (from < bytes.length) {
      const to = Math.min(bytes.length, from + PAGE_BYTES - this.#pageFill);
      this.#pageCrc = pageChecksum(bytes.subarray(from, to), this.#pageCrc);
      this.#pageFill += to - from;
      if (this.#pageFill === PAGE_BYTES) this.#closePage();
      from = to;
    }
  }

  /** The table, once every byte was seen: big-endian CRCs, the last page being short. */
  table(): Buffer {
    if (this.#pageFill > 0) this.#closePage();
    return this.#table;
  }

  #closePage(): void {
    this.#tableEnd = this.#table.writeUInt32BE(this.#pageCrc, this.#tableEnd);
    this.#pageCrc = 0;
    this.#pageFill = 0;
  }
}
