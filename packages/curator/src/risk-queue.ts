/**
 * Work by how much can still go wrong before something is lost: the lowest level first, then the
 * oldest. Bounded: when full, the youngest of the highest level is forgotten, which costs it a tour
 * and nothing else.
 */
export class RiskQueue<Item> {
  readonly #itemsMax: number;
  readonly #ageOf: (item: Item) => number;
  readonly #levels = new Map<number, Item[]>();
  #size = 0;

  /** `ageOf`: the lower, the older. */
  constructor(itemsMax: number, ageOf: (item: Item) => number) {
    this.#itemsMax = itemsMax;
    this.#ageOf = ageOf;
  }

  get size(): number {
    return this.#size;
  }

  /** Items of one level come about oldest first. */
  add(item: Item, level: number): void {
    const items = this.#levels.get(level);
    if (items === undefined) this.#levels.set(level, [item]);
    else items.push(item);
    this.#size += 1;
    if (this.#size > this.#itemsMax) this.#forgetOne();
  }

  /** Takes everything out, in order, `count` at a time. */
  *drain(count: number): Generator<readonly Item[]> {
    const ordered = [...this.#levels]
      .sort(([a], [b]) => a - b)
      .flatMap(([, items]) => items.sort((a, b) => this.#ageOf(a) - this.#ageOf(b)));
    this.#levels.clear();
    this.#size = 0;
    for (let at = 0; at < ordered.length; at += count) yield ordered.slice(at, at + count);
  }

  #forgetOne(): void {
    const highest = Math.max(...this.#levels.keys());
    const items = this.#levels.get(highest) ?? [];
    items.pop();
    if (items.length === 0) this.#levels.delete(highest);
    this.#size -= 1;
  }
}
