import { silentLogger } from '@azimuth/common';
import type { GroupLeader } from '@azimuth/proto';
import { VirtualClock } from '@azimuth/testkit';

import { CUT_OFF_AGE_MS } from '../src/cluster-view';
import { watchLeaders } from '../src/leader-watch';
import type { LeadersListener } from '../src/session-metadata-client';

/** A watch over nodes a, b and c; those in `reached` answer, after a moment. */
function begin() {
  const clock = new VirtualClock();
  const reached = new Set(['a', 'b', 'c']);
  const leaders: GroupLeader[] = [
    { group: 'root', term: 1, leader: 'a' },
    { group: 'index-0', term: 1, leader: 'b' },
  ];
  const rounds = { count: 0 };
  const askLeaders = (listener: LeadersListener): readonly string[] => {
    rounds.count += 1;
    for (const nodeId of reached) clock.schedule(10, () => listener(nodeId, [...leaders]));
    // The nodes that are not reached never answer.
    return ['a', 'b', 'c'];
  };
  const watch = watchLeaders({ metadata: { askLeaders }, clock, logger: silentLogger });
  const run = async (ms: number): Promise<number> => {
    await clock.runUntil(clock.monotonicMs() + ms);
    return watch.silentMs();
  };
  return { watch, reached, leaders, rounds, run };
}

describe('the watch over leaders', () => {
  it('is calm while all answer, and before anybody has', async () => {
    const { watch, run } = begin();
    expect(watch.silentMs()).toBe(0);
    let longestMs = 0;
    for (let step = 0; step < 100; step += 1) longestMs = Math.max(longestMs, await run(99));
    expect(longestMs).toBeLessThanOrEqual(1_010);
  });

  it('tells within the limit of a leader that others reach, and when it answers again', async () => {
    const { reached, run } = begin();
    await run(5_500);
    reached.delete('b');
    expect(await run(1_500)).toBeLessThan(CUT_OFF_AGE_MS);
    // No later than the limit after the cut; another second is left for the balancer (P3).
    expect(await run(1_500)).toBeGreaterThan(CUT_OFF_AGE_MS);
    expect(await run(60_000)).toBeGreaterThan(60_000);
    reached.add('b');
    expect(await run(1_000)).toBeLessThan(CUT_OFF_AGE_MS);
  });

  it('outlives an election: a dead leader is named until there is another one', async () => {
    const { reached, leaders, run } = begin();
    await run(5_900);
    reached.delete('b');
    expect(await run(2_000)).toBeLessThan(CUT_OFF_AGE_MS);
    leaders[1] = { group: 'index-0', term: 2, leader: 'c' };
    for (let step = 0; step < 20; step += 1) {
      expect(await run(500)).toBeLessThan(CUT_OFF_AGE_MS);
    }
  });

  it('is calm while a node leads that is not asked yet: it joins, and requests find it', async () => {
    const { leaders, run } = begin();
    await run(5_500);
    leaders[1] = { group: 'index-0', term: 2, leader: 'joining' };
    for (let step = 0; step < 20; step += 1) {
      expect(await run(500)).toBeLessThan(CUT_OFF_AGE_MS);
    }
  });

  it('asks on without any request, and no more after close', async () => {
    const { watch, rounds, run } = begin();
    await run(10_500);
    expect(rounds.count).toBe(11);
    watch.close();
    await run(10_000);
    expect(rounds.count).toBe(11);
  });
});
