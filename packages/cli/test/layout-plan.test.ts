import type { Clock } from '@azimuth/common';

import {
  DEFAULT_CONDITIONS,
  DEFAULT_HARDWARE,
  parseProfile,
  planLayouts,
  withSettings,
} from '../src/layout-plan';
import { renderPlan } from '../src/output/plan-text';
import { measureRepairSpeed } from '../src/repair-speed';

const request = {
  hardware: DEFAULT_HARDWARE,
  conditions: DEFAULT_CONDITIONS,
  repairSpeedFrom: 'assumed' as const,
  profiles: [],
};

describe('azimuth plan', () => {
  it('compares the usual profiles that fit, cheapest first', () => {
    const { layouts, refused } = planLayouts(request);
    expect(layouts.map(({ profile }) => profile).sort()).toEqual(
      ['1+2', '2+1', '2+2', '4+2', '5+4', '6+3', '8+4', '9+6'].sort(),
    );
    const overheads = layouts.map(({ overhead }) => overhead);
    expect(overheads).toEqual([...overheads].sort((a, b) => a - b));
    expect(refused).toEqual([]);
  });

  it('says beside which profiles an object in one zone is what, each once', () => {
    const { oneZone } = planLayouts(request);
    expect(oneZone.map(({ profile, beside }) => [profile, beside.join(' ')])).toEqual([
      ['2+1', '2+1 2+2 4+2 5+4 6+3 8+4 9+6'],
      ['1+2', '1+2'],
    ]);
    const single = { ...DEFAULT_HARDWARE, nodesPerZone: 1, disksPerNode: 1 };
    const spread = planLayouts({ ...request, hardware: single });
    expect(spread.oneZone).toEqual([]);
    expect(renderPlan(spread)).toContain(
      'ONEZONE_IA objects are spread like all others: no zone can hold two shards apart',
    );
    const only = planLayouts({ ...request, hardware: { ...DEFAULT_HARDWARE, zones: 1 } });
    expect(only.oneZone).toEqual([]);
    expect(renderPlan(only).join()).not.toContain('ONEZONE_IA');
  });

  it('says why a profile that was asked for does not fit', () => {
    const plan = planLayouts({ ...request, profiles: [parseProfile('4+2'), parseProfile('6+2')] });
    expect(plan.layouts.map(({ profile }) => profile)).toEqual(['4+2']);
    expect(renderPlan(plan)).toContain('6+2: 3 shards in a zone, and only 2 may be lost');
  });

  it('says what it computed and from what', () => {
    const plan = planLayouts({ ...request, profiles: [parseProfile('4+2')] });
    expect(renderPlan(plan)).toEqual([
      '3 zones of 3 nodes of 4 disks of 14.6 TiB, 70 % used, 3 metadata voters',
      'a disk fails with 2 % a year, a zone is lost 0.001 times a year and out 0.5 times',
      'repair at 95.4 MiB/s (assumed), scrub in 14 days',
      '',
      'durability of one object over a year; ANY LOSS is the chance that anything is lost at all',
      'PROFILE          BY ZONE  SURVIVES                        NINES  WITHOUT ZONE LOSS  ANY LOSS  MOSTLY BY',
      '4+2              2 2 2    any one zone, or any two nodes  4.5    6.2                6.6e-2    zone loss (97.7 %)',
      '2+1 in one zone  3 0 0    any one node                    2.9    3.7                5.4e-1    zone loss (82.7 %)',
      '',
      'PROFILE          OVERHEAD  USABLE     READS       WRITES      STRICT WRITES',
      '4+2              1.50x     349.2 TiB  99.99965 %  99.99983 %  99.912 %',
      '2+1 in one zone  1.50x     349.2 TiB  99.970 %    99.99983 %  99.99983 %',
      '',
      'time to rebuild a disk, node, zone (* with a new disk); bytes between zones for each byte that is',
      'written, read, rebuilt, rebuilt with partial sums; and bytes between zones for repair in a year',
      'PROFILE          DISK    NODE   ZONE    WRITE  READ  REBUILD  SUMS  A YEAR',
      '4+2              32.1 h  6.2 d  22.6 d  1.00   0.67        3     2  22.0 TiB',
      '2+1 in one zone  32.1 h  6.2 d  never   0.00   0.67        0     0  0 B',
      '2+1 in one zone: what objects of class ONEZONE_IA get beside 4+2; lost with their zone',
      '',
      'A model, not a promise: docs/durability-model.md says what it leaves out.',
    ]);
  });

  it.each(['4', '0+2', '4+0', '4+2x', '40+2'])('refuses the profile %p', (text) => {
    expect(() => parseProfile(text)).toThrow('INVALID_ARGUMENT');
  });

  it('takes other conditions by name', () => {
    const changed = withSettings(DEFAULT_CONDITIONS, ['diskAfr=0.05', 'groups=20']);
    expect(changed).toEqual({ ...DEFAULT_CONDITIONS, diskAfr: 0.05, groups: 20 });
    for (const wrong of [
      'disk=1',
      'diskAfr=',
      'diskAfr=-1',
      'diskAfr=1',
      'scrubDays=0',
      'diskAfr',
    ]) {
      expect(() => withSettings(DEFAULT_CONDITIONS, [wrong])).toThrow('INVALID_ARGUMENT');
    }
  });
});

describe('measureRepairSpeed', () => {
  const measure = (pages: Readonly<Record<string, readonly (string | null)[]>>) => {
    let nowMs = 0;
    const clock = {
      monotonicMs: () => nowMs,
      sleep: (delayMs: number) => {
        nowMs += delayMs;
        return Promise.resolve();
      },
    } as unknown as Clock;
    const reads = new Map<string, number>();
    const readMetrics = (url: string): Promise<string | null> => {
      const read = reads.get(url) ?? 0;
      reads.set(url, read + 1);
      return Promise.resolve(pages[url]?.[read] ?? null);
    };
    return measureRepairSpeed(Object.keys(pages), 5, { clock, readMetrics });
  };
  const rebuilt = (bytes: number): string =>
    `# HELP x\nazimuth_curator_bytes_rebuilt_total ${bytes}\nazimuth_curator_is_leader 1\n`;

  it('adds up what all curators rebuilt meanwhile', async () => {
    const pages = { a: [rebuilt(100), rebuilt(600)], b: [rebuilt(0), rebuilt(50)] };
    expect(await measure(pages)).toBe(110);
  });

  it.each([
    ['an idle cluster', { a: [rebuilt(7), rebuilt(7)] }],
    ['a curator that started anew', { a: [rebuilt(900), rebuilt(10)] }],
    ['a curator that does not answer', { a: [null, rebuilt(10)] }],
  ])('knows nothing from %s', async (_what, pages) => {
    expect(await measure(pages)).toBeNull();
  });
});
