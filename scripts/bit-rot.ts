/**
 * Flips bytes, one at a time, in every kind of file that a storage node and a metadata node keep,
 * and tells what became of each.
 *
 * Usage: npm run bit-rot -- [--flips N] [--seed N] [--time-limit SECONDS]
 *
 * Prints a table; ends with 1 when a wrong byte was served, something was gone without a word, or
 * damage that is read one day stayed.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { rotAll } from '../test/rot/rot-all';
import { wholeNumberOption } from './number-option';

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      flips: { type: 'string', default: '1000' },
      seed: { type: 'string', default: '1' },
      'time-limit': { type: 'string', default: '3600' },
    },
  });
  const flips = wholeNumberOption('flips', values.flips, 1);
  const seed = wholeNumberOption('seed', values.seed, 0);
  const timeLimitMs = wholeNumberOption('time-limit', values['time-limit'], 1) * 1_000;
  const directory = mkdtempSync(join(tmpdir(), 'azimuth-rot-'));
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD']).toString().trim();
  try {
    const { table, failures } = await rotAll({ directory, flips, seed, timeLimitMs });
    process.stdout.write(`commit ${commit}, seed ${values.seed}\n\n${table.join('\n')}\n`);
    for (const failure of failures) process.stdout.write(`${failure}\n`);
    process.exitCode = failures.length > 0 ? 1 : 0;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? (error.stack ?? '') : String(error)}\n`);
  process.exitCode = 1;
});
