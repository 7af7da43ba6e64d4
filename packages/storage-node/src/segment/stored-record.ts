import { checksumTableBytes } from '@azimuth/clients';

import type { DiskFile } from '../disk/disk';
import type { RecordEntry } from './segment-format';
import { decodeRecordTrailer, RECORD_HEADER_BYTES, RECORD_TRAILER_BYTES } from './segment-format';
import { readAt } from './segment-scan';

/** The page checksums of a stored shard, as they are on the disk. */
export function readTable(file: DiskFile, entry: RecordEntry): Promise<Buffer> {
  const { shardSizeBytes } = entry.attributes;
  const tableAt = entry.offsetBytes + RECORD_HEADER_BYTES + shardSizeBytes;
  return readAt(file, tableAt, checksumTableBytes(shardSizeBytes));
}

/** True when the trailer on the disk is the one that was written for this record. */
export async function hasIntactTrailer(file: DiskFile, entry: RecordEntry): Promise<boolean> {
  const { shardSizeBytes } = entry.attributes;
  const contentBytes = RECORD_HEADER_BYTES + shardSizeBytes + checksumTableBytes(shardSizeBytes);
  const header = await readAt(file, entry.offsetBytes, RECORD_HEADER_BYTES);
  const bytes = await readAt(file, entry.offsetBytes + contentBytes, RECORD_TRAILER_BYTES);
  const trailer = decodeRecordTrailer(bytes, header);
  return trailer?.sequence === entry.sequence && trailer.tableChecksum === entry.tableChecksum;
}
