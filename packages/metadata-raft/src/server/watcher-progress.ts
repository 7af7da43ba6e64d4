import type { Clock } from '@azimuth/common';

/** Who did not ask for this long is gone, or has found another leader. */
const WATCHER_SILENCE_MS_MAX = 3_000;
const SETTLE_MS_MAX = 1_000;
/** A watcher asks again after a second at most. */
const GATHER_MS = 1_250;

interface Progress {
  readonly since: number;
  readonly askedMs: number;
}

interface Waiting {
  readonly version: number;
  readonly behind: Set<object>;
  readonly finish: () => void;
}

/**
 * How far the watchers of the root state have come. A watcher that asks for what is newer than a
 * version has taken that version, so a change that all of them have asked past is in force wherever
 * a watcher can be reached.
 *
 * W1 Nobody is waited for longer than SETTLE_MS_MAX: a watcher that is cut off delays one change,
 *    and is forgotten then until it asks again. One whose session ends is forgotten at once.
 * W2 A leader that was just elected knows no watchers yet. It waits for the time in which all that
 *    can reach it ask, before it takes those that did for all there are.
 */
export class WatcherProgress {
  readonly #clock: Clock;
  readonly #watchers = new Map<object, Progress>();
  readonly #waiting = new Set<Waiting>();
  #gatheredMs = -Infinity;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#watchers.size;
  }

  /** `watcher` stands for one session: it asks for what is newer than `since`. */
  hear(watcher: object, since: number): void {
    const askedMs = this.#clock.monotonicMs();
    if (!this.#watchers.has(watcher)) this.#forgetSilent(askedMs);
    this.#watchers.set(watcher, { since, askedMs });
    this.#release(watcher, since);
  }

  /** The session is over. */
  forget(watcher: object): void {
    if (this.#watchers.delete(watcher)) this.#release(watcher, Infinity);
  }

  /** This node leads from now on. */
  lead(): void {
    this.#gatheredMs = this.#clock.monotonicMs() + GATHER_MS;
  }

  /** Resolves when everyone who asked lately has taken `version`, at the latest as W1 says. */
  async settled(version: number): Promise<void> {
    const waitMs = this.#gatheredMs - this.#clock.monotonicMs();
    if (waitMs > 0) await this.#clock.sleep(waitMs);
    await this.#allBehind(version);
  }

  #allBehind(version: number): Promise<void> {
    this.#forgetSilent(this.#clock.monotonicMs());
    const behind = new Set<object>();
    for (const [watcher, { since }] of this.#watchers) if (since < version) behind.add(watcher);
    if (behind.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const finish = (): void => {
        cancelTimer();
        this.#waiting.delete(waiting);
        resolve();
      };
      const waiting = { version, behind, finish };
      const cancelTimer = this.#clock.schedule(SETTLE_MS_MAX, () => {
        for (const watcher of behind) this.#watchers.delete(watcher);
        finish();
      });
      this.#waiting.add(waiting);
    });
  }

  /** Ends every wait for `watcher` that a version up to `since` is about. */
  #release(watcher: object, since: number): void {
    for (const waiting of [...this.#waiting]) {
      if (since < waiting.version) continue;
      waiting.behind.delete(watcher);
      if (waiting.behind.size === 0) waiting.finish();
    }
  }

  #forgetSilent(nowMs: number): void {
    for (const [watcher, { askedMs }] of this.#watchers) {
      if (nowMs - askedMs > WATCHER_SILENCE_MS_MAX) this.#watchers.delete(watcher);
    }
  }
}
