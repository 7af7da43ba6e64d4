import type { LossRates, ObjectLayout } from '../src/index';

/** A world in which a loss takes years, not aeons, so that it can be played. */
export const HARSH: LossRates = {
  diskFailures: 0.8,
  nodeLosses: 0.2,
  zoneLosses: 0.1,
  zoneOutages: 0.5,
  lostInOutage: 0.1,
  rot: 0.5,
  repairs: 12,
  zoneRebuilds: 6,
  rotRepairs: 10,
};

export function layout(k: number, m: number, shardsPerZone: readonly number[]): ObjectLayout {
  return { profile: { k, m }, shardsPerZone, shardsPerNode: 1 };
}

export const LAYOUTS: readonly (readonly [string, ObjectLayout])[] = [
  ['1+2 on 3 zones', layout(1, 2, [1, 1, 1])],
  ['4+2 on 3 x 2', layout(4, 2, [2, 2, 2])],
  ['5+4 on 3 x 3', layout(5, 4, [3, 3, 3])],
  ['3+2 reduced on 2, 2 and 1', layout(3, 2, [2, 2, 1])],
  ['2+2 in one zone', layout(2, 2, [4])],
];
