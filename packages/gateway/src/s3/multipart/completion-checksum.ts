import { createHash } from 'node:crypto';

import { required } from '@azimuth/common';
import type { StoredChecksum, UploadRecord } from '@azimuth/proto';

import { combineCrcs, isCrc } from '../crc-combine';
import { digestBytes } from '../digest-bytes';
import { invalidRequest } from '../s3-error';

/** What of a stored part goes into the ETag and the checksum of the whole. */
export interface CompletedPart {
  readonly partNumber: number;
  readonly sizeBytes: number;
  readonly etag: string;
  readonly checksum: StoredChecksum | null;
}

/** hex(md5(binary MD5s of the parts)) and the number of parts (M-4). */
export function multipartEtag(parts: readonly CompletedPart[]): string {
  const hash = createHash('md5');
  for (const part of parts) hash.update(part.etag, 'hex');
  return `${hash.digest('hex')}-${parts.length}`;
}

/**
 * The checksum of the whole from those of the parts (KC-2): COMPOSITE hashes their digests,
 * FULL_OBJECT combines their CRCs. Null for an upload without checksums.
 */
export async function multipartChecksum(
  upload: UploadRecord,
  parts: readonly CompletedPart[],
): Promise<StoredChecksum | null> {
  const { checksumAlgorithm: algorithm, checksumType: type } = upload;
  if (algorithm === null || type === null) return null;
  const digests = parts.map((part) => {
    if (part.checksum?.algorithm !== algorithm) throw missingChecksum(upload, part.partNumber);
    return Buffer.from(part.checksum.value, 'base64');
  });

  if (type === 'COMPOSITE') {
    const digest = await digestBytes(algorithm, Buffer.concat(digests));
    return { algorithm, type, value: `${digest.toString('base64')}-${parts.length}` };
  }
  if (!isCrc(algorithm)) throw invalidRequest(`${algorithm} cannot be a ${type} checksum.`);
  const pieces = parts.map(({ sizeBytes }, index) => ({
    crc: required(digests[index], 'digest of a part'),
    sizeBytes,
  }));
  return { algorithm, type, value: combineCrcs(algorithm, pieces).toString('base64') };
}

export function missingChecksum(upload: UploadRecord, partNumber: number): Error {
  const name = upload.checksumAlgorithm?.toLowerCase() ?? 'null';
  return invalidRequest(
    `The upload was created using a ${name} checksum. The complete request must include the ` +
      `checksum for each part. It was missing for part ${partNumber} in the request.`,
  );
}
