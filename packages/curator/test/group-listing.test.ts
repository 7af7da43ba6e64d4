import fc from 'fast-check';

import type { PlacementGroup } from '@azimuth/placement';

import { isEveryBlobListed } from '../src/group-listing';
import { FakeCluster } from './fake-cluster';

const SLOTS = ['n0d0', 'n1d0', 'n2d0', 'n3d0', 'n4d0', 'n5d0'];
type SlotState = 'readable' | 'out' | 'lost';

/** Every choice of `count` of `items`. */
function* choices(items: readonly number[], count: number): Generator<readonly number[]> {
  if (count === 0) yield [];
  for (const [index, item] of items.entries()) {
    if (count === 0) return;
    for (const rest of choices(items.slice(index + 1), count - 1)) yield [item, ...rest];
  }
}

describe('what a walk over a group can miss', () => {
  it('is no blob with k shards left, unless only the disk that is left has any of it', () => {
    const states = fc.array(fc.constantFrom<SlotState>('readable', 'out', 'lost'), {
      minLength: 6,
      maxLength: 6,
    });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5 }), states, (k, slotStates) => {
        const group: PlacementGroup = {
          ...{ pgId: 1, profile: { k, m: 6 - k }, slots: SLOTS, isReduced: false },
          ...{ state: 'sealed', backfill: null },
        };
        const cluster = new FakeCluster([]);
        slotStates.forEach((state, index) => {
          if (state === 'out') cluster.setNode(`n${index}`, 'down');
          if (state === 'lost') cluster.setDisk(`n${index}d0`, 'lost');
        });
        const holding = [...SLOTS.keys()].filter((index) => slotStates[index] !== 'lost');
        const missed = [...choices(holding, k)].filter((shards) =>
          shards.every((index) => slotStates[index] === 'out'),
        );
        const isAlone = slotStates.every((state, index) => state !== 'out' || index === 0);
        expect(isEveryBlobListed(cluster.map, group, 0)).toBe(missed.length === 0 || isAlone);
      }),
    );
  });
});
