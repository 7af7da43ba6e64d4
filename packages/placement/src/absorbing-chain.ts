import { assert } from '@azimuth/common';

/** A continuous-time Markov chain that ends. State 0 is the start. */
export interface AbsorbingChain {
  /** Rates to other states, by state. */
  readonly rates: readonly ReadonlyMap<number, number>[];
  /** Rates into the end, by state and then by what it is called. */
  readonly endings: readonly ReadonlyMap<string, number>[];
}

/** How the chain ends: on average after `meanTime`, and how often in which way. */
export interface Absorption {
  /** In the unit of the rates; infinite when no end can be reached. */
  readonly meanTime: number;
  /** Ends for each unit of time, by cause; their sum is 1 / `meanTime`. */
  readonly rateByCause: ReadonlyMap<string, number>;
}

/**
 * Grassmann, Taksar and Heyman's elimination (Operations Research 33, 1985), with endings: states
 * are taken out one after the other, and what went through them goes past them. Nothing is ever
 * subtracted, so that an answer of 1e-25 is as exact as one of 0.1; solving the linear equations
 * would lose it to cancellation.
 */
export function absorptionOf(chain: AbsorbingChain): Absorption {
  const rates = chain.rates.map((row) => new Map(row));
  const endings = chain.endings.map((row) => new Map(row));
  // `weights[i]`: mean time spent, times the rate of leaving, until one of the states left is next.
  const weights = chain.rates.map(() => 1);
  for (let out = rates.length - 1; out > 0; out -= 1) {
    const outRates = rates[out] as Map<number, number>;
    outRates.delete(out);
    const outEndings = endings[out] as Map<string, number>;
    const total = sum(outRates) + sum(outEndings);
    assert(total > 0, 'a state that is never left');
    for (let from = 0; from < out; from += 1) {
      const row = rates[from] as Map<number, number>;
      const rate = row.get(out);
      if (rate === undefined) continue;
      row.delete(out);
      const share = rate / total;
      for (const [to, onward] of outRates) if (to !== from) add(row, to, share * onward);
      const ends = endings[from] as Map<string, number>;
      for (const [cause, onward] of outEndings) add(ends, cause, share * onward);
      weights[from] = (weights[from] as number) + share * (weights[out] as number);
    }
  }
  const ends = endings[0] as Map<string, number>;
  const weight = weights[0] as number;
  return {
    meanTime: weight / sum(ends),
    rateByCause: new Map([...ends].map(([cause, rate]) => [cause, rate / weight])),
  };
}

function add<Key>(row: Map<Key, number>, key: Key, rate: number): void {
  row.set(key, (row.get(key) ?? 0) + rate);
}

function sum(row: ReadonlyMap<unknown, number>): number {
  let total = 0;
  for (const rate of row.values()) total += rate;
  return total;
}
