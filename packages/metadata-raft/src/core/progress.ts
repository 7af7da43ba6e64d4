import type { LogIndex } from './message';
import type { RaftConfig } from './config';

export type ProgressState = 'probe' | 'replicate' | 'snapshot';

interface Inflight {
  readonly lastIndex: LogIndex;
  readonly sizeBytes: number;
}

/**
 * What the leader knows of one follower. `probe`: the end of agreement is being searched, one
 * message at a time. `replicate`: messages are pipelined, `nextIndex` runs ahead. `snapshot`: the
 * follower is behind the start of our log and waits for a snapshot.
 */
export class Progress {
  readonly #config: RaftConfig;
  state: ProgressState = 'probe';
  /** Known to be durable there; the optimistic value would be wrong here (pitfall 13). */
  matchIndex: LogIndex = 0;
  nextIndex: LogIndex;
  /** Heard of since the last CheckQuorum round. */
  isRecentlyActive = false;
  /** Heard of in the round before. */
  wasRecentlyActive = false;
  /** In `snapshot`: the index that the snapshot on its way ends at. */
  snapshotIndex: LogIndex = 0;
  /** The start of a follower that rejoined; 0 = it did not. See `readmission.ts`. */
  rejoinNonce = 0;
  /** That follower counts once everything up to here is committed without it. */
  readmitIndex: LogIndex = 0;
  #isProbeSent = false;
  #inflight: Inflight[] = [];
  #inflightBytes = 0;

  constructor(config: RaftConfig, nextIndex: LogIndex) {
    this.#config = config;
    this.nextIndex = nextIndex;
  }

  get isPaused(): boolean {
    switch (this.state) {
      case 'probe':
        return this.#isProbeSent;
      case 'replicate':
        return this.#isFull;
      case 'snapshot':
        return true;
    }
  }

  get inflightCount(): number {
    return this.#inflight.length;
  }

  get #isFull(): boolean {
    return (
      this.#inflight.length >= this.#config.inflightMessagesMax ||
      this.#inflightBytes >= this.#config.inflightBytesMax
    );
  }

  /** Counts an AppendEntries as sent. */
  sent(lastIndex: LogIndex, sizeBytes: number): void {
    if (this.state === 'probe') {
      this.#isProbeSent = true;
      return;
    }
    if (lastIndex < this.nextIndex) return;
    this.nextIndex = lastIndex + 1;
    this.#inflight.push({ lastIndex, sizeBytes });
    this.#inflightBytes += sizeBytes;
  }

  /** A success. False when it told nothing new. */
  matched(index: LogIndex): boolean {
    const isNew = index > this.matchIndex;
    if (isNew) this.matchIndex = index;
    this.nextIndex = Math.max(this.nextIndex, index + 1);
    this.#freeTo(index);
    if (isNew) this.#isProbeSent = false;
    return isNew;
  }

  /** A refusal of the entry after `rejectedIndex`. False when it is old news. */
  rejected(rejectedIndex: LogIndex, lastPossibleMatch: LogIndex): boolean {
    if (this.state === 'snapshot') return false;
    // It acknowledged as much: this is an old message, or the follower lost what it had. Answering at
    // once would be answered at once, without an end; the next heartbeat finds out which it is.
    if (rejectedIndex <= this.matchIndex) return false;
    if (this.state === 'replicate') {
      this.becomeProbe();
      return true;
    }
    if (this.nextIndex - 1 !== rejectedIndex) return false;
    this.nextIndex = Math.max(this.matchIndex + 1, Math.min(rejectedIndex, lastPossibleMatch + 1));
    this.#isProbeSent = false;
    return true;
  }

  /** The follower lost what it had acknowledged: nothing is known of it any more (pitfall 9). */
  forget(lastPossibleMatch: LogIndex): void {
    this.matchIndex = 0;
    this.becomeProbe();
    this.nextIndex = lastPossibleMatch + 1;
  }

  /** A sign of life: a lost message must not stop the flow for good. */
  heard(): void {
    this.isRecentlyActive = true;
    this.#isProbeSent = false;
    if (this.#isFull) {
      const first = this.#inflight[0];
      if (first !== undefined) this.#freeTo(first.lastIndex);
    }
  }

  /** Heard of in this CheckQuorum round or the last. */
  get isAlive(): boolean {
    return this.isRecentlyActive || this.wasRecentlyActive;
  }

  /** The next CheckQuorum round begins. */
  endRound(): void {
    this.wasRecentlyActive = this.isRecentlyActive;
    this.isRecentlyActive = false;
  }

  becomeProbe(): void {
    this.nextIndex =
      this.state === 'snapshot'
        ? Math.max(this.matchIndex, this.snapshotIndex) + 1
        : this.matchIndex + 1;
    this.#enter('probe');
  }

  becomeReplicate(): void {
    this.nextIndex = this.matchIndex + 1;
    this.#enter('replicate');
  }

  becomeSnapshot(index: LogIndex): void {
    this.#enter('snapshot');
    this.snapshotIndex = index;
  }

  #enter(state: ProgressState): void {
    this.state = state;
    this.#isProbeSent = false;
    this.snapshotIndex = 0;
    this.#inflight = [];
    this.#inflightBytes = 0;
  }

  #freeTo(index: LogIndex): void {
    let count = 0;
    for (const message of this.#inflight) {
      if (message.lastIndex > index) break;
      this.#inflightBytes -= message.sizeBytes;
      count += 1;
    }
    if (count > 0) this.#inflight.splice(0, count);
  }
}
