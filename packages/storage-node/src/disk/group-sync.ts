/**
 * Shares one sync among all callers that wait for it. A caller is served by a sync that begins
 * after its call, so whatever it wrote before is covered.
 */
export class GroupSync {
  readonly #sync: () => Promise<void>;
  #running: Promise<void> | null = null;
  #next: Promise<void> | null = null;

  constructor(sync: () => Promise<void>) {
    this.#sync = sync;
  }

  run(): Promise<void> {
    this.#next ??= this.#startNext();
    return this.#next;
  }

  async #startNext(): Promise<void> {
    // The running one may have begun before the caller's write: its result is not ours.
    await this.#running?.catch(() => undefined);
    await Promise.resolve();
    this.#next = null;
    const running = this.#sync();
    this.#running = running;
    await running;
  }
}
