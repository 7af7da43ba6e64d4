/**
 * Runs the deterministic simulation of the metadata service, one seed after the other, and stops at
 * the first that fails.
 *
 * Usage: npm run simulate -- [--seed N] [--seeds COUNT] [--time-limit SECONDS]
 *   [--ending healed|core] [--trace]
 *
 * With the ending `core` a quorum is healed and everybody else is lost for ever; by default that is
 * so for one seed of four.
 */
import { parseArgs } from 'node:util';

import { runRaftSimulation } from '../test/simulation/raft/raft-simulation';
import type { Ending } from '../test/simulation/raft/raft-simulation';
import { wholeNumberOption } from './number-option';

function endingOf(text: string | undefined): Ending | null {
  if (text === undefined) return null;
  if (text === 'healed' || text === 'core') return text;
  throw new RangeError(`--ending takes healed or core, not "${text}"`);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      seed: { type: 'string', default: '1' },
      seeds: { type: 'string', default: '1' },
      'time-limit': { type: 'string', default: '3600' },
      ending: { type: 'string' },
      trace: { type: 'boolean', default: false },
    },
  });
  const first = wholeNumberOption('seed', values.seed, 0);
  const count = wholeNumberOption('seeds', values.seeds, 1);
  const limitS = wholeNumberOption('time-limit', values['time-limit'], 1);
  const ending = endingOf(values.ending);
  const onTrace = (line: string): void => void process.stdout.write(`${line}\n`);
  const endMs = performance.now() + limitS * 1000;
  for (let seed = first; seed < first + count && performance.now() < endMs; seed += 1) {
    const startMs = performance.now();
    const report = await runRaftSimulation({
      seed,
      ...(ending === null ? {} : { ending }),
      ...(values.trace ? { onTrace } : {}),
    });
    const tookMs = Math.round(performance.now() - startMs);
    process.stdout.write(`${JSON.stringify({ ...report, tookMs })}\n`);
  }
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
