import type { ClusterMap } from '@azimuth/placement';

import { renderScrub } from '../src/output/scrub-text';
import { summarizeScrub } from '../src/scrub-status';
import type { ScrubAnswer } from '../src/scrub-status';

const END_MS = Date.UTC(2026, 10, 20);
const DISKS = [
  ['a1', 'a', 'online'],
  ['a2', 'a', 'online'],
  ['b1', 'b', 'online'],
  ['b2', 'b', 'lost'],
] as const;
const MAP = {
  settings: { zones: ['a', 'b'] },
  disks: new Map(
    DISKS.map(([diskId, zone, state]) => [
      diskId,
      { diskId, nodeId: `node-${diskId}`, zone, capacityBytes: 1, state },
    ]),
  ),
} as unknown as ClusterMap;

function answer(diskId: string, changes: Partial<ScrubAnswer> = {}): ScrubAnswer {
  return {
    ...{ diskId, share: 0.5, tourBytes: 100, expectedEndMs: END_MS, lastPassMs: END_MS - 9_000 },
    ...{ isLate: false, corruptShards: 0 },
    ...changes,
  };
}

describe('scrub in the status', () => {
  it('a zone is as far as its bytes are, and ends with its last disk', () => {
    const answers = [
      answer('a1', { share: 1, tourBytes: 300, lastPassMs: END_MS - 5_000 }),
      answer('a2', { expectedEndMs: END_MS + 1_000 }),
    ];
    const [a] = summarizeScrub(MAP, answers);
    expect(a).toMatchObject({ disks: 2, disksUnknown: 0, share: 0.875, tourBytes: 400 });
    expect(a).toMatchObject({ expectedEndMs: END_MS + 1_000, lastPassMs: END_MS - 9_000 });
  });

  it('a disk of which nobody says anything is unknown, not done; a lost one is not waited for', () => {
    const [a, b] = summarizeScrub(MAP, [answer('b1', { share: 1 })]);
    expect(a).toMatchObject({ disks: 2, disksUnknown: 2, expectedEndMs: null, lastPassMs: null });
    expect(b).toMatchObject({ disks: 1, disksUnknown: 0, share: 1, lastPassMs: END_MS - 9_000 });
  });

  it('warns of disks that are late or hold damage, and of no other', () => {
    const answers = [
      answer('a1', { isLate: true }),
      answer('a2', { corruptShards: 3 }),
      answer('b1'),
    ];
    const lines = renderScrub(summarizeScrub(MAP, answers));
    expect(lines.filter((line) => line.startsWith('  disk'))).toEqual([
      '  disk a1 of node-a1: late: 50 % done, it will have ended at 2026-11-20T00:00:00.000Z',
      '  disk a2 of node-a2: 3 corrupt shards wait for repair',
    ]);
    expect(lines[1]).toContain('50 %');
  });
});
