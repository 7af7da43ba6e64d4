import { decodeRecord, decodeSegmentHeader, SEGMENT_HEADER_BYTES } from './wal-segment';
import type { WalSegment } from './wal-segment';

const PIECE_BYTES = 512 * 1024;

/**
 * Reads a segment that may still be written to, up to where it ends now, against magic, checksums
 * and hash chain. `isInUse` is asked before each read: a segment that is dropped meanwhile is of no
 * interest, and its file is closed.
 */
export async function isSegmentIntact(
  segment: WalSegment,
  isInUse: () => boolean,
  pace: (bytes: number) => Promise<void>,
): Promise<boolean> {
  const { file, number, endOffset } = segment;
  if (!isInUse()) return true;
  let chain = decodeSegmentHeader(file.read(0, SEGMENT_HEADER_BYTES), number);
  let offset = SEGMENT_HEADER_BYTES;
  while (offset < endOffset) {
    if (!isInUse()) return true;
    if (chain === null) return false;
    const leftBytes = endOffset - offset;
    // A record may be larger than a piece; the rest of the segment holds at least that.
    const found =
      followChain(file.read(offset, Math.min(PIECE_BYTES, leftBytes)), chain) ??
      followChain(file.read(offset, leftBytes), chain);
    if (found === null) return false;
    chain = found.chain;
    offset += found.sizeBytes;
    await pace(found.sizeBytes);
  }
  return chain !== null;
}

/** The whole records at the start of `bytes`; null when there is none that continues the chain. */
function followChain(
  bytes: Buffer,
  previousCrc: number,
): { readonly chain: number; readonly sizeBytes: number } | null {
  let chain = previousCrc;
  let sizeBytes = 0;
  for (;;) {
    const record = decodeRecord(bytes, sizeBytes);
    if (record === null || record.previousCrc !== chain) break;
    chain = record.crc;
    sizeBytes += record.sizeBytes;
  }
  return sizeBytes === 0 ? null : { chain, sizeBytes };
}
