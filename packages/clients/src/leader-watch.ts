import type { Clock, Logger } from '@azimuth/common';

import { CUT_OFF_AGE_MS } from './cluster-view';
import { LeaderSilence } from './leader-silence';
import type { SilentLeader } from './leader-silence';
import type { WatchingMetadataClient } from './session-metadata-client';

const ASK_INTERVAL_MS = 1_000;
/** So that at most two questions to a node that says nothing are in flight. */
const ANSWER_TIMEOUT_MS = 1_500;

export interface LeaderWatchOptions {
  readonly metadata: Pick<WatchingMetadataClient, 'askLeaders'>;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Whether this process reaches whoever leads the groups of the metadata. */
export interface LeaderWatch {
  /**
   * For how many milliseconds the leader of some group, as a node that we reach names it, has
   * answered nothing; of several the longest. About 0 to 1,000 while all of them answer.
   */
  silentMs(): number;
  close(): void;
}

/**
 * Asks every metadata node every second who leads, from now until `close`. It asks whether or not
 * there are requests, so that a process that nobody sends any finds its leaders again.
 */
export function watchLeaders(options: LeaderWatchOptions): LeaderWatch {
  const watch = new AskingLeaderWatch(options);
  watch.start();
  return watch;
}

class AskingLeaderWatch implements LeaderWatch {
  readonly #options: LeaderWatchOptions;
  readonly #silence = new LeaderSilence();
  #longest: SilentLeader | null = null;
  #isSilent = false;
  #isClosed = false;
  #cancelTimer: () => void = () => undefined;

  constructor(options: LeaderWatchOptions) {
    this.#options = options;
  }

  start(): void {
    if (this.#isClosed) return;
    const { metadata, clock } = this.#options;
    const askedMs = clock.monotonicMs();
    this.#judge();
    // A round does not wait for the one before: a silent node would hold back what the others say.
    this.#cancelTimer = clock.schedule(ASK_INTERVAL_MS, () => this.start());
    const asked = metadata.askLeaders(
      (nodeId, groups) => {
        this.#silence.hear(nodeId, askedMs, groups);
        this.#judge();
      },
      { timeoutMs: ANSWER_TIMEOUT_MS },
    );
    this.#silence.keepOnly(asked);
  }

  silentMs(): number {
    return this.#longest === null ? 0 : this.#options.clock.monotonicMs() - this.#longest.sinceMs;
  }

  close(): void {
    this.#isClosed = true;
    this.#cancelTimer();
  }

  #judge(): void {
    const { clock, logger } = this.#options;
    this.#longest = this.#silence.longest(clock.monotonicMs());
    const isSilent = this.silentMs() > CUT_OFF_AGE_MS;
    if (isSilent === this.#isSilent) return;
    this.#isSilent = isSilent;
    const { group, leader } = this.#longest ?? {};
    if (isSilent) logger.warn({ group, leader }, 'a leader that others reach says nothing');
    else logger.info({}, 'every leader that others reach answers');
  }
}
