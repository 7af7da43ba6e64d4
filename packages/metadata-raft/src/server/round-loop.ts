import type { Clock } from '@azimuth/common';

export interface RoundLoopOptions {
  readonly intervalMs: number;
  readonly clock: Clock;
  readonly run: () => Promise<void>;
  /** Told why a round failed; the next one comes all the same. */
  readonly onFailure: (error: unknown) => void;
}

/** Runs one round after the other, `intervalMs` after the end of the one before. */
export class RoundLoop {
  readonly #options: RoundLoopOptions;
  #isClosed = false;
  #cancelTimer: () => void = () => undefined;
  #round: Promise<void> = Promise.resolve();

  constructor(options: RoundLoopOptions) {
    this.#options = options;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  start(): void {
    if (this.#isClosed) return;
    const { clock, intervalMs, run, onFailure } = this.#options;
    this.#cancelTimer = clock.schedule(intervalMs, () => {
      this.#round = run()
        .catch(onFailure)
        .finally(() => this.start());
    });
  }

  /** Resolves when the round that runs has ended. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelTimer();
    await this.#round;
  }
}
