/** Null: there is no such object. */
export type Content = Uint8Array | null;

interface Write {
  readonly content: Content;
  readonly startedAt: number;
  /** Null while nobody has said that it is done: it may happen or not. */
  acknowledgedAt: number | null;
}

/** What the clients know of each key: what they were told is there, and what may be. */
export class KnownObjects {
  readonly #writes = new Map<string, Write[]>();
  #time = 0;

  /** A client asks for `key` to become `content`; call the answer when it is told that it did. */
  begin(key: string, content: Content): () => void {
    const write: Write = { content, startedAt: this.#tick(), acknowledgedAt: null };
    const writes = this.#writes.get(key) ?? [{ content: null, startedAt: 0, acknowledgedAt: 0 }];
    this.#writes.set(key, [...writes, write]);
    return () => {
      write.acknowledgedAt = this.#tick();
    };
  }

  keys(): readonly string[] {
    return [...this.#writes.keys()];
  }

  /**
   * What a read of the key may answer: what was acknowledged last, or what is not certain. A write
   * that began after another was acknowledged takes its place once it is acknowledged itself.
   */
  possible(key: string): readonly Content[] {
    const writes = this.#writes.get(key) ?? [];
    const isSuperseded = (write: Write): boolean =>
      writes.some(
        (later) =>
          later.acknowledgedAt !== null &&
          write.acknowledgedAt !== null &&
          later.startedAt > write.acknowledgedAt,
      );
    return writes.filter((write) => !isSuperseded(write)).map(({ content }) => content);
  }

  /** A read has told which of the possible contents it is. */
  learn(key: string, content: Content): void {
    const now = this.#tick();
    this.#writes.set(key, [{ content, startedAt: now, acknowledgedAt: now }]);
  }

  #tick(): number {
    this.#time += 1;
    return this.#time;
  }
}
