/**
 * Everything a change must pass, cheapest first, with one summary line at the end.
 *
 * Usage: npm run verify [-- --static]   (`--static` stops before the tests)
 */
import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';

const { values } = parseArgs({ options: { static: { type: 'boolean', default: false } } });

const STATIC_STEPS = ['build', 'format:check', 'typecheck', 'lint', 'depcruise', 'knip'];
const TEST_STEPS = ['test:unit', 'test:simulation', 'test:integration', 'test:chaos'];

const timings: string[] = [];
for (const step of values.static ? STATIC_STEPS : [...STATIC_STEPS, ...TEST_STEPS]) {
  process.stdout.write(`\n=== ${step}\n`);
  const startedMs = performance.now();
  const result = spawnSync('npm', ['run', '--silent', step], { stdio: 'inherit' });
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(0);
  timings.push(`${step} ${seconds} s`);
  if (result.status !== 0) {
    process.stdout.write(`\nverify: FAILED at ${step} (${timings.join(', ')})\n`);
    process.exit(result.status ?? 1);
  }
}
process.stdout.write(`\nverify: ok (${timings.join(', ')})\n`);
