import { encodeRecord } from '@azimuth/proto';
import type { GroupMembership } from '@azimuth/proto';
import { VirtualClock } from '@azimuth/testkit';

import { isHeldByOthers, waitUntilHeldByOthers } from '../../src/server/log-holders';
import type { PeerSession } from '../../src/server/lost-log';

const membership = (
  matches: Readonly<Record<string, number | null>>,
  isSettled = true,
): GroupMembership => ({
  ...{ configurationIndex: 1, voters: Object.keys(matches), learners: [], isSettled },
  members: Object.entries(matches).map(([nodeId, matchIndex]) => ({
    ...{ nodeId, isAlive: matchIndex !== null, matchIndex: matchIndex ?? 100 },
  })),
});
const ledBy = (nodeId: string, term: number, ...args: Parameters<typeof membership>) => ({
  ...{ nodeId, term, membership: membership(...args) },
});

describe('who holds what a condemned replica would throw away', () => {
  const tail = { index: 100, term: 5 };
  const held = (...leaders: Parameters<typeof isHeldByOthers>[2]): boolean =>
    isHeldByOthers('n1', tail, leaders);

  it('a majority of all voters without this one holds all of it', () => {
    expect(held(ledBy('n2', 5, { n1: 100, n2: 100, n3: 100 }))).toBe(true);
    const five = { n1: 100, n2: 100, n3: 100, n4: 100 };
    expect(held(ledBy('n2', 5, { ...five, n5: 7 }))).toBe(true);
    expect(held(ledBy('n2', 5, { ...five, n4: 7, n5: 7 }))).toBe(false);
  });

  it('one that is behind, or silent, holds nothing: the entry would be on one disk alone', () => {
    expect(held(ledBy('n2', 5, { n1: 100, n2: 100, n3: 99 }))).toBe(false);
    expect(held(ledBy('n2', 5, { n1: 100, n2: 100, n3: null }))).toBe(false);
  });

  it('what is behind the log of a later leader was never committed', () => {
    expect(held(ledBy('n2', 6, { n1: 40, n2: 90, n3: 90 }))).toBe(true);
    expect(held(ledBy('n2', 6, { n1: 40, n2: 90, n3: 89 }))).toBe(false);
  });

  it('what a leader of its time has not on its disk yet may be committed all the same', () => {
    expect(held(ledBy('n2', 5, { n1: 100, n2: 99, n3: 100 }))).toBe(false);
  });

  it('nobody knows without a leader of its time, or while voters change', () => {
    expect(held()).toBe(false);
    expect(held(ledBy('n2', 4, { n1: 100, n2: 100, n3: 100 }))).toBe(false);
    expect(held(ledBy('n2', 5, { n1: 100, n2: 100, n3: 100 }, false))).toBe(false);
    // The newest leader has the word, not one that was deposed.
    const old = ledBy('n3', 5, { n1: 100, n2: 100, n3: 100 });
    expect(held(old, ledBy('n2', 7, { n1: 100, n2: 120, n3: 99 }))).toBe(false);
  });

  it('waits for those that are behind, and not for ever', async () => {
    const clock = new VirtualClock();
    let asked = 0;
    const peer: PeerSession = {
      call: () => {
        asked += 1;
        const matches = { n1: 100, n2: 100, n3: 90 + asked * 5 };
        const group = { group: 'root', role: 'leader', term: 5, membership: membership(matches) };
        const result = { nodeId: 'n2', groups: [group] };
        return Promise.resolve(encodeRecord({ ok: true, result }));
      },
    };
    const of = { self: 'n1', group: 'root', tail };
    const wait = (timeoutMs: number): Promise<boolean> =>
      waitUntilHeldByOthers(of, [peer], { clock, timeoutMs });
    const patient = wait(5_000);
    await clock.runUntil(400);
    expect(asked).toBe(1);
    await clock.runUntil(600);
    expect(await patient).toBe(true);
    expect(asked).toBe(2);

    asked = -100;
    const hasty = wait(1_000);
    await clock.runUntil(10_000);
    expect(await hasty).toBe(false);
  });
});
