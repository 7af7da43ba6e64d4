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
  const first = Number(values.seed);
  const count = Number(values.seeds);
  const onTrace = (line: string): void => void process.stdout.write(`${line}\n`);
  const endMs = performance.now() + Number.parseFloat(values['time-limit']) * 1000;
  for (let seed = first; seed < first + count && performance.now() < endMs; seed += 1) {
    const startMs = performance.now();
    const report = await runRaftSimulation({
      seed,
      ...(values.ending === undefined ? {} : { ending: values.ending as Ending }),
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
