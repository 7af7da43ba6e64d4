/** What something was, from which log index on. */
export class Timeline<T> {
  readonly #initial: T;
  /** Ascending. */
  readonly #values: { readonly index: number; readonly value: T }[] = [];

  constructor(initial: T) {
    this.#initial = initial;
  }

  push(index: number, value: T): void {
    this.#values.push({ index, value });
  }

  at(index: number): T {
    const found = this.#values.findLast((each) => each.index <= index);
    return found === undefined ? this.#initial : found.value;
  }
}

/** Timelines by name; those that were never pushed to are as in the beginning. */
export class Timelines<T> {
  readonly #initial: T;
  readonly #lines = new Map<string, Timeline<T>>();

  constructor(initial: T) {
    this.#initial = initial;
  }

  push(name: string, index: number, value: T): void {
    let line = this.#lines.get(name);
    if (line === undefined) {
      line = new Timeline(this.#initial);
      this.#lines.set(name, line);
    }
    line.push(index, value);
  }

  at(name: string, index: number): T {
    return this.#lines.get(name)?.at(index) ?? this.#initial;
  }

  /** What all of them were. */
  allAt(index: number): Map<string, T> {
    return new Map([...this.#lines].map(([name, line]) => [name, line.at(index)]));
  }
}
