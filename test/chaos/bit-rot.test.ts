/**
 * P4: a byte flips in any kind of file of a storage node and of a metadata node. It is noticed when
 * it matters, what had been there is there again, and no wrong byte is served meanwhile. The long
 * run is `npm run bit-rot`.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { rotAll } from '../rot/rot-all';

const SEED = Number(process.env['AZIMUTH_SEED'] ?? 9_001);
const FLIPS = 24;

describe(`flipped bytes in every kind of file (AZIMUTH_SEED=${SEED})`, () => {
  const directory = mkdtempSync(join(tmpdir(), 'azimuth-rot-'));

  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  it('are repaired, or of no consequence', async () => {
    const { failures } = await rotAll({ directory, flips: FLIPS, seed: SEED, timeLimitMs: 20_000 });
    expect(failures).toEqual([]);
  }, 120_000);
});
