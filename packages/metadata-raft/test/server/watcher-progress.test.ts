import { VirtualClock } from '@azimuth/testkit';

import { WatcherProgress } from '../../src/server/watcher-progress';

/** A clock, and the time at which a change settled. */
function begin() {
  const clock = new VirtualClock();
  const progress = new WatcherProgress(clock);
  const settle = (version: number) => {
    const outcome: { atMs: number | null } = { atMs: null };
    void progress.settled(version).then(() => {
      outcome.atMs = clock.monotonicMs();
    });
    return outcome;
  };
  return { clock, progress, settle };
}

describe('changes settle', () => {
  it('at once where nobody watches, or all are past the change', async () => {
    const { clock, progress, settle } = begin();
    const alone = settle(7);
    progress.hear({}, 7);
    progress.hear({}, 9);
    const past = settle(7);
    await clock.runUntil(0);
    expect([alone.atMs, past.atMs]).toEqual([0, 0]);
  });

  it('when the last watcher has asked again from the change on, and not before', async () => {
    const { clock, progress, settle } = begin();
    const [a, b] = [{}, {}];
    for (const watcher of [a, b]) progress.hear(watcher, 5);
    const change = settle(7);
    await clock.runUntil(10);
    progress.hear(a, 7);
    // It asks again, but from before the change.
    progress.hear(b, 6);
    await clock.runUntil(20);
    expect(change.atMs).toBeNull();
    progress.hear(b, 8);
    await clock.runUntil(30);
    expect(change.atMs).toBe(20);
  });

  it('each by itself: an earlier change does not wait for a later one', async () => {
    const { clock, progress, settle } = begin();
    const watcher = {};
    progress.hear(watcher, 1);
    const [first, second] = [settle(2), settle(3)];
    progress.hear(watcher, 2);
    await clock.runUntil(5);
    expect([first.atMs, second.atMs]).toEqual([0, null]);
    progress.hear(watcher, 3);
    await clock.runUntil(6);
    expect(second.atMs).toBe(5);
  });

  it('W1: after a second without a watcher that was killed, which delays no other change', async () => {
    const { clock, progress, settle } = begin();
    progress.hear({}, 5);
    await clock.runUntil(500);
    const first = settle(6);
    const meanwhile = settle(6);
    await clock.runUntil(3_000);
    expect([first.atMs, meanwhile.atMs]).toEqual([1_500, 1_500]);
    const second = settle(7);
    await clock.runUntil(3_001);
    expect(second.atMs).toBe(3_000);
    expect(progress.size).toBe(0);
  });

  it('W1: at once without a watcher whose session ends', async () => {
    const { clock, progress, settle } = begin();
    const watcher = {};
    progress.hear(watcher, 5);
    const change = settle(6);
    await clock.runUntil(3);
    progress.forget(watcher);
    await clock.runUntil(4);
    expect(change.atMs).toBe(3);
    expect(progress.size).toBe(0);
  });

  it('without those who have been silent for three seconds', async () => {
    const { clock, progress, settle } = begin();
    progress.hear({}, 5);
    await clock.runUntil(2_999);
    const waited = settle(6);
    await clock.runUntil(3_998);
    expect(waited.atMs).toBeNull();

    const other = begin();
    other.progress.hear({}, 5);
    await other.clock.runUntil(3_001);
    const at = other.settle(6);
    await other.clock.runUntil(3_002);
    expect(at.atMs).toBe(3_001);
  });

  it('with a watcher that was forgotten and came back', async () => {
    const { clock, progress, settle } = begin();
    const watcher = {};
    progress.hear(watcher, 5);
    settle(6);
    await clock.runUntil(1_100);
    progress.hear(watcher, 5);
    const change = settle(7);
    await clock.runUntil(1_200);
    expect(change.atMs).toBeNull();
    progress.hear(watcher, 7);
    await clock.runUntil(1_300);
    expect(change.atMs).toBe(1_200);
  });

  it('remembers no more sessions than ask', async () => {
    const { clock, progress } = begin();
    for (let round = 1; round <= 100; round += 1) {
      progress.hear({}, 1);
      await clock.runUntil(round * 1_000);
    }
    expect(progress.size).toBeLessThanOrEqual(4);
  });

  it('under a new leader not before those who watch can have come to it (W2)', async () => {
    const { clock, progress, settle } = begin();
    progress.lead();
    const change = settle(7);
    await clock.runUntil(900);
    const late = {};
    progress.hear(late, 5);
    await clock.runUntil(1_300);
    expect(change.atMs).toBeNull();
    progress.hear(late, 7);
    await clock.runUntil(1_310);
    expect(change.atMs).not.toBeNull();
  });
});
