import { StoreError } from '@azimuth/common';
import type { StoreErrorCode } from '@azimuth/common';

/**
 * What becomes of one call. `crash`: the process dies before it; what it sent earlier still
 * arrives. `lose-request`, `lose-reply`: the call fails without, or with, its effect, and the
 * process goes on without knowing which.
 */
export type Fate = 'crash' | 'lose-request' | 'lose-reply';

export interface FateOfCall {
  /** From 1. */
  readonly call: number;
  readonly fate: Fate;
}

/**
 * One process: a gateway or a curator. Each of its calls to metadata and storage passes here, so
 * each is a place where it can die, lose a message, or be overtaken by another process.
 */
export class Actor {
  readonly name: string;
  readonly #fates: ReadonlyMap<number, Fate>;
  readonly #pauseAt: number | null;
  #calls = 0;
  #isDead = false;
  #isPaused = false;
  #resume: Promise<void> | null = null;
  #onResume: (() => void) | null = null;
  readonly trace: string[] = [];

  constructor(name: string, fates: readonly FateOfCall[] = [], pauseAt: number | null = null) {
    this.name = name;
    this.#fates = new Map(fates.map(({ call, fate }) => [call, fate]));
    this.#pauseAt = pauseAt;
  }

  get calls(): number {
    return this.#calls;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  resume(): void {
    this.#isPaused = false;
    this.#onResume?.();
    this.#resume = null;
  }

  /** Carries a call out, or not, as its fate says; `lost` is what the caller then hears. */
  async perform<T>(what: string, lost: StoreErrorCode, carryOut: () => Promise<T>): Promise<T> {
    this.#calls += 1;
    const call = this.#calls;
    this.trace.push(`${String(call)} ${what}`);
    if (call === this.#pauseAt) this.#pause();
    if (this.#resume !== null) await this.#resume;
    this.#requireLife();
    const fate = this.#fates.get(call);
    if (fate === 'crash') this.#isDead = true;
    this.#requireLife();
    if (fate === 'lose-request') throw new StoreError(lost, { call });
    const result = await carryOut();
    this.#requireLife();
    if (fate === 'lose-reply') throw new StoreError(lost, { call });
    return result;
  }

  #pause(): void {
    this.#isPaused = true;
    this.#resume = new Promise((resolve) => {
      this.#onResume = resolve;
    });
  }

  #requireLife(): void {
    if (this.#isDead) throw new StoreError('UNAVAILABLE', { dead: this.name });
  }
}
