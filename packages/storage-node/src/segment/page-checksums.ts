import { PAGE_BYTES, PAGE_CHECKSUM_BYTES, pageChecksum } from '@azimuth/clients';

/** Pages of a shard of `shardSizeBytes`; the last one may be short. */
export function pageCount(shardSizeBytes: number): number {
  return Math.ceil(shardSizeBytes / PAGE_BYTES);
}

/** Index of the first page of `bytes` that does not match its entry in `table`; −1 when all do. */
export function findBadPage(bytes: Uint8Array, table: Buffer): number {
  for (let page = 0; page * PAGE_BYTES < bytes.byteLength; page += 1) {
    const from = page * PAGE_BYTES;
    const end = Math.min(from + PAGE_BYTES, bytes.byteLength);
    const checksum = pageChecksum(bytes.subarray(from, end));
    if (checksum !== table.readUInt32BE(page * PAGE_CHECKSUM_BYTES)) return page;
  }
  return -1;
}
