import { required } from '@azimuth/common';

import { BodyDigests } from '../data-path/checksum';
import type { DigestAlgorithm } from '../data-path/data-path';

/**
 * One digest over a few bytes that are in memory: documents, and the digests of parts. Bodies are
 * digested by the data path while they flow. Numbers are big-endian.
 */
export async function digestBytes(algorithm: DigestAlgorithm, bytes: Uint8Array): Promise<Buffer> {
  const digests = await BodyDigests.open([algorithm]);
  digests.update(bytes);
  return required((await digests.finish()).get(algorithm), 'digest');
}
