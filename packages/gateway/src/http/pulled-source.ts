import { assert, StoreError } from '@azimuth/common';

import type { ByteSink, ByteSource } from '../data-path/byte-source';

interface Wanted {
  readonly resolve: (chunk: Uint8Array | null) => void;
  readonly reject: (error: Error) => void;
}

/**
 * A source read chunk by chunk, for whoever has to look at bytes before it knows where they go. The
 * source waits between two chunks, so one chunk is in memory.
 */
export class PulledSource {
  readonly #source: ByteSource;
  #finished: Promise<void> | null = null;
  #outcome: { readonly error: Error | null } | null = null;
  #wanted: Wanted | null = null;
  #held: { readonly release: () => void; readonly abandon: (error: Error) => void } | null = null;

  constructor(source: ByteSource) {
    this.#source = source;
  }

  /**
   * The next chunk, null at the end. The one before must not be used any more.
   *
   * Errors: whatever the source rejects with.
   */
  next(): Promise<Uint8Array | null> {
    assert(this.#wanted === null, 'one reader, one read at a time');
    return new Promise((resolve, reject) => {
      if (this.#outcome !== null) {
        if (this.#outcome.error === null) resolve(null);
        else reject(this.#outcome.error);
        return;
      }
      this.#wanted = { resolve, reject };
      const held = this.#held;
      this.#held = null;
      if (held !== null) held.release();
      else this.#start();
    });
  }

  /** Lets the source go, read to its end or not, and waits until it has stopped. */
  async close(): Promise<void> {
    this.#held?.abandon(new StoreError('CANCELLED', { reason: 'the rest is not wanted' }));
    this.#held = null;
    await this.#finished;
  }

  #start(): void {
    if (this.#finished !== null) return;
    this.#finished = this.#source.readInto(this.#receive).then(
      () => this.#end(null),
      (error: unknown) => this.#end(error as Error),
    );
  }

  readonly #receive: ByteSink = (chunk) => {
    const wanted = this.#wanted;
    assert(wanted !== null, 'a source pushed without waiting');
    this.#wanted = null;
    return new Promise((release, abandon) => {
      this.#held = { release, abandon };
      wanted.resolve(chunk);
    });
  };

  #end(error: Error | null): void {
    this.#outcome = { error };
    const wanted = this.#wanted;
    this.#wanted = null;
    if (error === null) wanted?.resolve(null);
    else wanted?.reject(error);
  }
}
