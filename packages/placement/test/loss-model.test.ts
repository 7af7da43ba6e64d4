import { seededRandom } from '@azimuth/common';

import { absorptionOf } from '../src/absorbing-chain';
import { forecastLoss } from '../src/index';
import { HARSH, layout, LAYOUTS } from './durability-layouts';
import { simulateLosses } from './durability-simulation';

const SEED = 20_261;
/** 2,500 lives: a standard error of 2 %, and four of them. */
const TRIALS = 2_500;
const ERROR_MAX = 0.08;

describe('absorptionOf', () => {
  it('is the textbook answer for a mirrored pair', () => {
    const [fail, repair] = [0.01, 100];
    const { meanTime } = absorptionOf({
      rates: [new Map([[1, 2 * fail]]), new Map([[0, repair]])],
      endings: [new Map(), new Map([['both', fail]])],
    });
    expect(meanTime).toBeCloseTo((3 * fail + repair) / (2 * fail * fail), 6);
  });

  it('keeps its digits where subtraction would lose them all', () => {
    const { meanTime, rateByCause } = absorptionOf({
      rates: [
        new Map([[1, 1e-10]]),
        new Map([
          [0, 1e6],
          [2, 1e-10],
        ]),
        new Map([[1, 1e6]]),
      ],
      endings: [new Map(), new Map(), new Map([['end', 1e-10]])],
    });
    expect(meanTime / 1e42).toBeCloseTo(1, 9);
    expect(rateByCause.get('end')! * 1e42).toBeCloseTo(1, 9);
  });
});

describe(`the model against lives that are played (seed ${SEED})`, () => {
  it.each(LAYOUTS)('%s', (_name, object) => {
    const forecast = forecastLoss(object, HARSH);
    const options = { trials: TRIALS, random: seededRandom(SEED) };
    const { meanYears, zoneShare } = simulateLosses(object, HARSH, options);
    expect(Math.abs(meanYears / forecast.meanYearsToLoss - 1)).toBeLessThan(ERROR_MAX);
    const { rateByCause, meanYearsToLoss } = forecast;
    const byZone =
      (rateByCause.get('zone loss') ?? 0) + (rateByCause.get('zone loss and rot') ?? 0);
    expect(Math.abs(zoneShare - byZone * meanYearsToLoss)).toBeLessThan(0.04);
  });

  it('is on the safe side where one node has several shards', () => {
    const object = { ...layout(4, 2, [2, 2, 2]), shardsPerNode: 2 };
    const options = { trials: TRIALS, random: seededRandom(SEED) };
    const { meanYears } = simulateLosses(object, HARSH, options);
    const { meanYearsToLoss } = forecastLoss(object, HARSH);
    expect(meanYearsToLoss / meanYears).toBeLessThan(1 + ERROR_MAX);
    expect(meanYearsToLoss / meanYears).toBeGreaterThan(0.8);
  });

  it('is on the safe side of repairs that always take the same time', () => {
    const object = layout(4, 2, [2, 2, 2]);
    const options = {
      trials: TRIALS,
      random: seededRandom(SEED),
      repairTimes: 'constant',
    } as const;
    const { meanYears } = simulateLosses(object, HARSH, options);
    const ratio = forecastLoss(object, HARSH).meanYearsToLoss / meanYears;
    expect(ratio).toBeGreaterThan(0.7);
    expect(ratio).toBeLessThan(1 + ERROR_MAX);
  });
});

describe('forecastLoss', () => {
  it('gives all causes together, and no zone loss where zones are not lost', () => {
    const object = layout(5, 4, [3, 3, 3]);
    const { rateByCause, meanYearsToLoss } = forecastLoss(object, HARSH);
    const total = [...rateByCause.values()].reduce((sum, rate) => sum + rate, 0);
    expect(total * meanYearsToLoss).toBeCloseTo(1, 9);
    const calm = forecastLoss(object, { ...HARSH, zoneLosses: 0, zoneOutages: 0, rot: 0 });
    expect([...calm.rateByCause.keys()]).toEqual(['disks']);
    expect(calm.meanYearsToLoss).toBeGreaterThan(meanYearsToLoss);
  });

  it('gets worse with every rate of breaking and better with every rate of mending', () => {
    const object = layout(4, 2, [2, 2, 2]);
    const usual = forecastLoss(object, HARSH).lossPerYear;
    const breaking = ['diskFailures', 'nodeLosses', 'zoneLosses', 'zoneOutages', 'rot'] as const;
    for (const name of breaking) {
      const worse = forecastLoss(object, { ...HARSH, [name]: 2 * HARSH[name] });
      expect(worse.lossPerYear).toBeGreaterThan(usual);
    }
    for (const name of ['repairs', 'zoneRebuilds', 'rotRepairs'] as const) {
      const better = forecastLoss(object, { ...HARSH, [name]: 2 * HARSH[name] });
      expect(better.lossPerYear).toBeLessThan(usual);
    }
  });

  it('loses everything of one zone with the zone', () => {
    const rates = { ...HARSH, diskFailures: 0, nodeLosses: 0, zoneOutages: 0, rot: 0 };
    const { meanYearsToLoss } = forecastLoss(layout(4, 2, [6]), rates);
    expect(meanYearsToLoss).toBeCloseTo(1 / HARSH.zoneLosses, 9);
  });
});
