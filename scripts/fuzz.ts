/**
 * Feeds every parser of the gateway mutated inputs and stops at the first that crashes one, that it
 * answers with a 5xx, or that it should not have accepted.
 *
 * Usage: npm run fuzz -- [--target NAME] [--seed N] [--inputs COUNT]
 */
import { parseArgs } from 'node:util';

import { fuzz } from '../test/fuzz/fuzz';
import { FUZZ_TARGETS } from '../test/fuzz/targets';
import { namedChoices } from './named-choices';
import { wholeNumberOption } from './number-option';

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      target: { type: 'string' },
      seed: { type: 'string', default: '1' },
      inputs: { type: 'string', default: '1000000' },
    },
  });
  const seed = wholeNumberOption('seed', values.seed, 0);
  const inputs = wholeNumberOption('inputs', values.inputs, 1);
  for (const target of namedChoices('target', values.target, FUZZ_TARGETS)) {
    const startedMs = performance.now();
    const { accepted, refused, finding } = await fuzz(target, { seed, inputs });
    const seconds = Math.round((performance.now() - startedMs) / 1000);
    process.stdout.write(
      `${target.name}: ${accepted} accepted, ${refused} refused, ${seconds} s\n`,
    );
    if (finding === null) continue;
    process.stdout.write(
      `seed ${finding.seed}: ${JSON.stringify(finding.input.toString('latin1'))}\n`,
    );
    console.error(finding.error);
    process.exitCode = 1;
    return;
  }
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
