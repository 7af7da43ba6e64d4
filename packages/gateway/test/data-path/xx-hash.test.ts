import fc from 'fast-check';

import { BodyDigests } from '../../src/data-path/checksum';
import { openXxHash } from '../../src/data-path/xx-hash';
import type { XxHashAlgorithm } from '../../src/data-path/xx-hash';

const ALGORITHMS = ['XXHASH64', 'XXHASH3', 'XXHASH128'] as const;

/** Longer than what goes into the WASM at once, and not a multiple of any block. */
const LONG = Buffer.from(Array.from({ length: 100_000 }, (_, index) => index % 251));

async function hashOf(algorithm: XxHashAlgorithm, bytes: Uint8Array): Promise<string> {
  const hash = await openXxHash(algorithm);
  hash.update(bytes);
  return hash.finish().toString('hex');
}

describe('xxHash', () => {
  // Must stay in front: only the first hashes of an algorithm wait for its WASM.
  it.each(ALGORITHMS)('%s: the first ones may be opened at once', async (algorithm) => {
    const hashes = await Promise.all([0, 1, 2].map(() => openXxHash(algorithm)));
    for (const hash of hashes) hash.update(Buffer.from('hel'));
    for (const hash of hashes) hash.update(Buffer.from('lo'));
    const expected = await hashOf(algorithm, Buffer.from('hello'));
    for (const hash of hashes) expect(hash.finish().toString('hex')).toBe(expected);
  });

  // Of the reference implementation (github.com/Cyan4973/xxHash). XXH3 has ways of its own for up
  // to 16, 128, 240 and more bytes.
  it.each([
    ['XXHASH64', '', 'ef46db3751d8e999'],
    ['XXHASH3', '', '2d06800538d394c2'],
    ['XXHASH128', '', '99aa06d3014798d86001c324468d497f'],
    ['XXHASH64', 'hello', '26c7827d889f6da3'],
    ['XXHASH3', 'hello', '9555e8555c62dcfd'],
    ['XXHASH128', 'hello', 'b5e9c1ad071b3e7fc779cfaa5e523818'],
    ['XXHASH64', 200, '50dc1079b99e879c'],
    ['XXHASH3', 200, 'f42a8864feaf0703'],
    ['XXHASH128', 200, 'cb0395310643ba0edd97e9af3609d9f5'],
    ['XXHASH64', LONG.length, '4cf75ee72cd8f4cc'],
    ['XXHASH3', LONG.length, '42c23aeead96750d'],
    ['XXHASH128', LONG.length, '54182c58bbb1337c42c23aeead96750d'],
  ] as const)('KC-2: %s of %j is %s', async (algorithm, what, hex) => {
    const bytes = typeof what === 'string' ? Buffer.from(what) : LONG.subarray(0, what);
    expect(await hashOf(algorithm, bytes)).toBe(hex);
  });

  it.each(ALGORITHMS)('%s: bodies that flow at once do not mix', async (algorithm) => {
    const piece = fc.uint8Array({ maxLength: 600 });
    const steps = fc.array(fc.tuple(fc.nat({ max: 3 }), piece), { maxLength: 60 });
    const abandonedIndex = fc.nat({ max: 3 });
    await fc.assert(
      fc.asyncProperty(steps, abandonedIndex, async (script, abandoned) => {
        const hashes = await Promise.all([0, 1, 2, 3].map(() => openXxHash(algorithm)));
        const bodies: Uint8Array[][] = [[], [], [], []];
        for (const [index, bytes] of script) {
          hashes[index]!.update(bytes);
          bodies[index]!.push(bytes);
        }
        for (const [index, hash] of hashes.entries()) {
          if (index === abandoned) continue;
          const whole = await hashOf(algorithm, Buffer.concat(bodies[index]!));
          expect(hash.finish().toString('hex')).toBe(whole);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('is one of several digests of a body', async () => {
    const digests = await BodyDigests.open(['MD5', 'XXHASH3', 'XXHASH128', 'XXHASH3']);
    for (let at = 0; at < LONG.length; at += 7_777) digests.update(LONG.subarray(at, at + 7_777));
    const hex = [...(await digests.finish())].map(([name, digest]) => [
      name,
      digest.toString('hex'),
    ]);
    expect(hex).toEqual([
      ['MD5', expect.stringMatching(/^[0-9a-f]{32}$/)],
      ['XXHASH3', '42c23aeead96750d'],
      ['XXHASH128', '54182c58bbb1337c42c23aeead96750d'],
    ]);
  });
});
