import { createHash } from 'node:crypto';

import { Crc64Nvme } from '@aws-sdk/crc64-nvme';
import { crc32, crc32c } from '@node-rs/crc32';

import type { DigestAlgorithm } from '../data-path/data-path';

/**
 * One digest over a few bytes that are in memory: documents, and the digests of parts. Bodies are
 * digested by the data path while they flow. CRCs are big-endian.
 */
export async function digestBytes(algorithm: DigestAlgorithm, bytes: Uint8Array): Promise<Buffer> {
  switch (algorithm) {
    case 'CRC32':
      return uint32(crc32(bytes));
    case 'CRC32C':
      return uint32(crc32c(bytes));
    case 'CRC64NVME': {
      const crc = new Crc64Nvme();
      crc.update(bytes);
      return Buffer.from(await crc.digest());
    }
    case 'MD5':
    case 'SHA1':
    case 'SHA256':
      return createHash(algorithm).update(bytes).digest();
  }
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
