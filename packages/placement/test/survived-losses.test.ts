import fc from 'fast-check';

import { describeLosses, survivedLosses, weakestLosses } from '../src/index';
import type { PlacedReplica } from '../src/index';

/** Zone a has nodes of so many replicas each, and so on: `[[1, 1], [2]]`. */
function placed(zones: readonly (readonly number[])[]): PlacedReplica[] {
  return zones.flatMap((nodes, zone) =>
    nodes.flatMap((replicas, node) =>
      Array.from({ length: replicas }, () => ({ zone: `z${zone}`, nodeId: `z${zone}n${node}` })),
    ),
  );
}

/** `shards` over `zones`, each on a node of its own, as even as can be. */
function even(shards: number, zones: number): PlacedReplica[] {
  return placed(
    Array.from({ length: zones }, (_, zone) =>
      Array.from({ length: Math.ceil((shards - zone) / zones) }, () => 1),
    ),
  );
}

function subsets<T>(items: readonly T[]): T[][] {
  return items.reduce<T[][]>((all, item) => [...all, ...all.map((set) => [...set, item])], [[]]);
}

/** By trying every set of zones with every set of nodes of the others. */
function survivedByTrial(replicas: readonly PlacedReplica[], needed: number): number[] {
  if (replicas.length < needed) return [];
  const zones = [...new Set(replicas.map(({ zone }) => zone))];
  const fatal = new Map<number, number>();
  for (const lostZones of subsets(zones)) {
    const left = replicas.filter(({ zone }) => !lostZones.includes(zone));
    for (const lostNodes of subsets([...new Set(left.map(({ nodeId }) => nodeId))])) {
      if (left.filter(({ nodeId }) => !lostNodes.includes(nodeId)).length >= needed) continue;
      const known = fatal.get(lostZones.length) ?? Number.POSITIVE_INFINITY;
      fatal.set(lostZones.length, Math.min(known, lostNodes.length));
    }
  }
  const survived: number[] = [];
  for (let lost = 0; (fatal.get(lost) ?? 0) > 0; lost += 1) survived.push(fatal.get(lost)! - 1);
  return survived;
}

describe('survivedLosses', () => {
  it.each<[string, readonly PlacedReplica[], number, readonly number[], string]>([
    ['4+2 on 3 x 2', even(6, 3), 4, [2, 0], 'any one zone, or any two nodes'],
    ['5+4 on 3 x 3', even(9, 3), 5, [4, 1], 'any one zone and one more node, or any four nodes'],
    ['6+3 on 3 x 3', even(9, 3), 6, [3, 0], 'any one zone, or any three nodes'],
    ['8+4 on 3 x 4', even(12, 3), 8, [4, 0], 'any one zone, or any four nodes'],
    ['8+4 on 4 x 3', even(12, 4), 8, [4, 1], 'any one zone and one more node, or any four nodes'],
    [
      '8+4 on 6 x 2',
      even(12, 6),
      8,
      [4, 2, 0],
      'any two zones, or any one zone and two more nodes, or any four nodes',
    ],
    ['3+2 reduced, a node out', even(5, 3), 3, [2, 0], 'any one zone, or any two nodes'],
    ['2+2 reduced, a zone out', even(4, 2), 2, [2, 0], 'any one zone, or any two nodes'],
    ['1+2, a copy a zone', even(3, 3), 1, [2, 1, 0], 'any two zones'],
    ['1+1 in two zones', even(2, 2), 1, [1, 0], 'any one zone'],
    ['4+2, a shard out', placed([[1], [1, 1], [1, 1]]), 4, [1], 'any one node'],
    ['4+2, a zone out', even(4, 2), 4, [0], 'nothing more'],
    ['4+2, too many out', even(3, 2), 4, [], 'nothing more'],
    ['4+2 on three nodes of two disks', placed([[2], [2], [2]]), 4, [1, 0], 'any one zone'],
    ['4+2 in one zone', even(6, 1), 4, [2], 'any two nodes'],
    ['three voters', even(3, 3), 2, [1, 0], 'any one zone'],
    ['five voters in three zones', even(5, 3), 3, [2, 0], 'any one zone, or any two nodes'],
    ['five voters in five zones', even(5, 5), 3, [2, 1, 0], 'any two zones'],
    ['two voters of three', even(2, 2), 2, [0], 'nothing more'],
  ])('%s', (_layout, replicas, needed, losses, text) => {
    expect(survivedLosses(replicas, needed)).toEqual(losses);
    expect(survivedByTrial(replicas, needed)).toEqual(losses);
    expect(describeLosses(losses)).toBe(text);
  });

  it('is what trying every set of zones and nodes finds', () => {
    const zone = fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 3 });
    const zones = fc.array(zone, { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(zones, fc.nat(), (sketch, seed) => {
        const replicas = placed(sketch);
        const needed = 1 + (seed % (replicas.length + 1));
        expect(survivedLosses(replicas, needed)).toEqual(survivedByTrial(replicas, needed));
      }),
      { numRuns: 150 },
    );
  });

  it('agrees with c + f <= m where shards are even and each has its node', () => {
    for (let zones = 2; zones <= 6; zones += 1) {
      for (let k = 1; k <= 10; k += 1) {
        for (let m = 1; m <= 6; m += 1) {
          const perZone = Math.ceil((k + m) / zones);
          const losses = survivedLosses(even(k + m, zones), k);
          expect(losses[1]).toEqual(perZone <= m ? m - perZone : undefined);
          expect(losses[0]).toBe(m);
        }
      }
    }
  });

  it('takes no longer for the widest layout there may be', () => {
    const odd = placed([[1], [2], [3], [1, 1], [2, 1], [1, 1, 1], [4], [3, 1], [2, 2], [5]]);
    expect(survivedLosses(odd, odd.length)).toEqual([0]);
    expect(survivedLosses(even(32, 32), 16)).toHaveLength(17);
  });
});

describe('weakestLosses', () => {
  it('is what all of them survive, not what one of them does', () => {
    expect(weakestLosses([[2, 0], [1], [2, 1, 0]])).toEqual([1]);
    expect(
      weakestLosses([
        [4, 1],
        [2, 0],
      ]),
    ).toEqual([2, 0]);
    expect(weakestLosses([[4, 1], []])).toEqual([]);
    expect(weakestLosses([])).toEqual([]);
  });
});
