import { hasCode } from '@azimuth/common';
import type { Pace } from '@azimuth/common';

import type { BodySink } from './request-connection';

/** A body of repair waits for its turn after so much of it; others have theirs in between. */
export const PACED_PIECE_BYTES = 256 * 1024;

/**
 * Lets a body in at a pace, piece by piece. A whole shard taken at once would be a debt of minutes
 * at the lowest rate, and whoever else repairs would be refused until it is paid. The first piece
 * has been paid for by whoever let the body begin.
 */
export class PacedBody implements BodySink {
  readonly #sink: BodySink;
  readonly #pace: Pace;
  /** Received and not paid for; below 0 while there is something in advance. */
  #owedBytes = -PACED_PIECE_BYTES;

  constructor(sink: BodySink, pace: Pace) {
    this.#sink = sink;
    this.#pace = pace;
  }

  room(): Uint8Array {
    return this.#sink.room();
  }

  fill(count: number): Promise<void> | undefined {
    const isRoomAgain = this.#sink.fill(count);
    this.#owedBytes += count;
    if (this.#owedBytes < PACED_PIECE_BYTES) return isRoomAgain;
    return this.#settle(isRoomAgain);
  }

  /** Never rejects. */
  async #settle(isRoomAgain: Promise<void> | undefined): Promise<void> {
    await isRoomAgain;
    const bytes = this.#owedBytes;
    this.#owedBytes = 0;
    try {
      await this.#pace.take({ bytes, operations: 0 });
    } catch (error) {
      // Too many wait: this one goes on, and owes that much more at its next piece.
      if (hasCode(error, 'OVERLOADED')) this.#owedBytes += bytes;
    }
  }
}
