/** Ranges start on a cache line, so that two stripes never share one. */
const ARENA_ALIGNMENT_BYTES = 64;

interface Range {
  offset: number;
  sizeBytes: number;
}

/**
 * Hands out ranges of the codec's memory: first fit over an ordered list of free ranges, neighbours
 * joined when they are freed. Few and large ranges (stripes) are expected, so lists are short.
 */
export class Arena {
  readonly #free: Range[];
  readonly #used = new Map<number, number>();
  #freeBytes: number;

  constructor(offset: number, sizeBytes: number) {
    this.#free = [{ offset, sizeBytes }];
    this.#freeBytes = sizeBytes;
  }

  get freeBytes(): number {
    return this.#freeBytes;
  }

  /** Offset of `sizeBytes` bytes of unknown content, or null when no free range is long enough. */
  allocate(sizeBytes: number): number | null {
    const rounded = Math.ceil(sizeBytes / ARENA_ALIGNMENT_BYTES) * ARENA_ALIGNMENT_BYTES;
    if (!(rounded > 0)) throw new RangeError(`invalid size ${sizeBytes}`);
    const index = this.#free.findIndex((range) => range.sizeBytes >= rounded);
    const range = this.#free[index];
    if (range === undefined) return null;
    const { offset } = range;
    if (range.sizeBytes === rounded) {
      this.#free.splice(index, 1);
    } else {
      range.offset += rounded;
      range.sizeBytes -= rounded;
    }
    this.#used.set(offset, rounded);
    this.#freeBytes -= rounded;
    return offset;
  }

  /**
   * @throws RangeError when `offset` is not the start of an allocated range: a double free is a
   * bug.
   */
  free(offset: number): void {
    const sizeBytes = this.#used.get(offset);
    if (sizeBytes === undefined) throw new RangeError(`offset ${offset} is not allocated`);
    this.#used.delete(offset);
    this.#freeBytes += sizeBytes;
    let index = this.#free.findIndex((range) => range.offset > offset);
    if (index === -1) index = this.#free.length;
    this.#free.splice(index, 0, { offset, sizeBytes });
    this.#joinWithNext(index);
    if (index > 0) this.#joinWithNext(index - 1);
  }

  #joinWithNext(index: number): void {
    const range = this.#free[index];
    const next = this.#free[index + 1];
    if (range === undefined || next === undefined) return;
    if (range.offset + range.sizeBytes !== next.offset) return;
    range.sizeBytes += next.sizeBytes;
    this.#free.splice(index + 1, 1);
  }
}
