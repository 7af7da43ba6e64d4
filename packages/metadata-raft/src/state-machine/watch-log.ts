/** Changes that are remembered for watchers; who is further behind gets the whole document. */
const CHANGES_MAX = 10_000;

interface Change {
  readonly index: number;
  readonly kind: string;
  readonly name: string;
}

/**
 * Which root records changed at which index, lately. Deltas name the records; their content is read
 * when the delta is made, so a delta brings its reader to the present in one step.
 */
export class WatchLog {
  #changes: Change[] = [];
  /** Changes after this index are all here. */
  #completeAfter = 0;
  #waiting: (() => void)[] = [];

  restart(index: number): void {
    this.#changes = [];
    this.#completeAfter = index;
    this.wake();
  }

  add(index: number, kind: string, name: string): void {
    this.#changes.push({ index, kind, name });
    if (this.#changes.length > 2 * CHANGES_MAX) {
      const dropped = this.#changes[this.#changes.length - CHANGES_MAX - 1] as Change;
      this.#changes = this.#changes.slice(-CHANGES_MAX);
      // Other changes of the index that was cut through may be gone too.
      this.#completeAfter = dropped.index;
    }
  }

  /** Names of what changed after `index`, each once; null when that is not known any more. */
  since(index: number): ReadonlyMap<string, ReadonlySet<string>> | null {
    if (index < this.#completeAfter) return null;
    const changed = new Map<string, Set<string>>();
    for (let position = this.#changes.length - 1; position >= 0; position -= 1) {
      const change = this.#changes[position] as Change;
      if (change.index <= index) break;
      const names = changed.get(change.kind) ?? new Set();
      changed.set(change.kind, names.add(change.name));
    }
    return changed;
  }

  /** Calls `callback` once, after the next change; the returned function takes that back. */
  onChange(callback: () => void): () => void {
    this.#waiting.push(callback);
    return () => {
      this.#waiting = this.#waiting.filter((waiting) => waiting !== callback);
    };
  }

  wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const callback of waiting) callback();
  }
}
