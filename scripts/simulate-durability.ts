/**
 * Plays more lives of objects than the tests do, and compares them with the durability model:
 * `npx tsx --conditions=source scripts/simulate-durability.ts --lives 100000 --layout 4+2`.
 */
import { parseArgs } from 'node:util';

import { seededRandom } from '@azimuth/common';
import { forecastLoss } from '@azimuth/placement';

import { HARSH, LAYOUTS } from '../packages/placement/test/durability-layouts';
import { simulateLosses } from '../packages/placement/test/durability-simulation';
import { namedChoices } from './named-choices';
import { wholeNumberOption } from './number-option';

const { values } = parseArgs({
  options: {
    lives: { type: 'string', default: '20000' },
    seed: { type: 'string', default: '1' },
    layout: { type: 'string' },
  },
});

const trials = wholeNumberOption('lives', values.lives, 1);
const seed = wholeNumberOption('seed', values.seed, 0);
const errorMax = 4 / Math.sqrt(trials);
let isWrong = false;
const layouts = LAYOUTS.map(([name, layout]) => ({ name, layout }));
const startsWith = (name: string, text: string): boolean => name.startsWith(text);
for (const { name, layout } of namedChoices('layout', values.layout, layouts, startsWith)) {
  const { meanYearsToLoss } = forecastLoss(layout, HARSH);
  const random = seededRandom(seed);
  const { meanYears } = simulateLosses(layout, HARSH, { trials, random });
  const error = meanYears / meanYearsToLoss - 1;
  isWrong ||= Math.abs(error) > errorMax;
  process.stdout.write(
    `${name}: model ${meanYearsToLoss.toFixed(3)} years, played ${meanYears.toFixed(3)}, ` +
      `${(error * 100).toFixed(2)} % (allowed ${(errorMax * 100).toFixed(2)} %)\n`,
  );
}
process.exitCode = isWrong ? 1 : 0;
