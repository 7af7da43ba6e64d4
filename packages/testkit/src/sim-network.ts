import type { Random } from '@azimuth/common';

import type { VirtualClock } from './virtual-clock';

export interface NetworkFaults {
  readonly lossRate: number;
  readonly duplicationRate: number;
  readonly latencyMsMin: number;
  /** Messages overtake each other as far as latencies differ. */
  readonly latencyMsMax: number;
}

export const PERFECT_NETWORK: NetworkFaults = {
  lossRate: 0,
  duplicationRate: 0,
  latencyMsMin: 0.2,
  latencyMsMax: 1,
};

/** Carries closures between named nodes, with faults. Which links are cut may differ by direction. */
export class SimNetwork {
  readonly #clock: VirtualClock;
  readonly #random: Random;
  readonly #cut = new Set<string>();
  faults: NetworkFaults;

  constructor(clock: VirtualClock, random: Random, faults: NetworkFaults) {
    this.#clock = clock;
    this.#random = random;
    this.faults = faults;
  }

  /** Cuts the direction from → to. */
  cut(from: string, to: string): void {
    this.#cut.add(`${from}>${to}`);
  }

  /** Cuts all links of `node`, in the directions given. */
  isolate(node: string, others: readonly string[], direction: 'both' | 'in' | 'out'): void {
    for (const other of others) {
      if (other === node) continue;
      if (direction !== 'in') this.cut(node, other);
      if (direction !== 'out') this.cut(other, node);
    }
  }

  healAll(): void {
    this.#cut.clear();
  }

  isCut(from: string, to: string): boolean {
    return this.#cut.has(`${from}>${to}`);
  }

  /** Runs `deliver` after some time, perhaps twice, perhaps never. */
  send(from: string, to: string, deliver: () => void): void {
    const { lossRate, duplicationRate } = this.faults;
    if (this.#random.next() < lossRate) return;
    const copies = this.#random.next() < duplicationRate ? 2 : 1;
    for (let copy = 0; copy < copies; copy += 1) {
      this.#clock.schedule(this.latencyMs(), () => {
        if (!this.isCut(from, to)) deliver();
      });
    }
  }

  latencyMs(): number {
    const { latencyMsMin, latencyMsMax } = this.faults;
    return latencyMsMin + this.#random.next() * (latencyMsMax - latencyMsMin);
  }
}
