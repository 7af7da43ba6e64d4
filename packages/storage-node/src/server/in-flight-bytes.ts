import { StoreError } from '@azimuth/common';

/** The memory that all requests together may hold in buffers. */
export class InFlightBytes {
  readonly #maxBytes: number;
  #usedBytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  /**
   * Takes `sizeBytes`; the returned function gives them back.
   *
   * @throws StoreError OVERLOADED: better refused at once than swapped.
   */
  reserve(sizeBytes: number): () => void {
    if (this.#usedBytes + sizeBytes > this.#maxBytes) {
      throw new StoreError('OVERLOADED', { usedBytes: this.#usedBytes });
    }
    this.#usedBytes += sizeBytes;
    let isHeld = true;
    return () => {
      if (isHeld) this.#usedBytes -= sizeBytes;
      isHeld = false;
    };
  }
}
