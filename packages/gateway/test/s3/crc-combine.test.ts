import fc from 'fast-check';

import type { CrcAlgorithm } from '../../src/s3/crc-combine';
import { combineCrcs } from '../../src/s3/crc-combine';
import { digestBytes } from '../../src/s3/digest-bytes';

const ALGORITHMS: readonly CrcAlgorithm[] = ['CRC32', 'CRC32C', 'CRC64NVME'];

describe('combined CRCs', () => {
  it.each(ALGORITHMS)('KC-2: %s of the whole from those of the parts', async (algorithm) => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.uint8Array({ maxLength: 300 }), { minLength: 1, maxLength: 12 }),
        async (parts) => {
          const pieces = await Promise.all(
            parts.map(async (part) => ({
              crc: await digestBytes(algorithm, part),
              sizeBytes: part.byteLength,
            })),
          );
          const whole = await digestBytes(algorithm, Buffer.concat(parts));
          expect(combineCrcs(algorithm, pieces)).toEqual(whole);
        },
      ),
      { numRuns: 200 },
    );
  });

  // Check values of "123456789": the catalogue of parametrised CRC algorithms.
  it.each([
    ['CRC32', 'cbf43926'],
    ['CRC32C', 'e3069283'],
    ['CRC64NVME', 'ae8b14860a799888'],
  ] as const)('%s of the check string is %s', async (algorithm, hex) => {
    const digest = await digestBytes(algorithm, Buffer.from('123456789'));
    expect(digest.toString('hex')).toBe(hex);
  });

  it('stays exact for 10,000 parts of 5 GiB', () => {
    const pieces = Array.from({ length: 10_000 }, (_, index) => ({
      crc: Buffer.alloc(8, index),
      sizeBytes: 5 * 1024 ** 3,
    }));
    const combined = combineCrcs('CRC64NVME', pieces);
    // Associativity: the first half as one piece gives the same.
    const half = combineCrcs('CRC64NVME', pieces.slice(0, 5000));
    const halves = [{ crc: half, sizeBytes: 5000 * 5 * 1024 ** 3 }, ...pieces.slice(5000)];
    expect(combineCrcs('CRC64NVME', halves)).toEqual(combined);
  });
});
