import { encodingMatrix } from './encoding-matrix';
import type { ErasureProfile } from './encoding-matrix';
import { NIBBLE_TABLE_BYTES, writeNibbleTables } from './galois-field';
import { invertMatrix, multiplyRow } from './matrix';
import type { Matrix } from './matrix';

/** A set of shards to compute from k others, with the kernel's tables made ready. */
export interface Combination {
  /** Shard indexes ascending; k of them. */
  readonly sources: readonly number[];
  /** Shard indexes ascending. */
  readonly targets: readonly number[];
  /** For each target, for each source: two 16-byte nibble tables. */
  readonly tables: Uint8Array;
}

/** At most 8 KiB each. Failures come as "this node is out", which is few patterns at a time. */
const COMBINATIONS_MAX = 256;

/** Finds the coefficients that express some shards by k others; remembers the most recent ones. */
export class CombinationCache {
  readonly #matrices = new Map<string, Matrix>();
  readonly #combinations = new Map<string, Combination>();

  /** `sources` and `targets` ascending and distinct; exactly k sources. */
  get(
    profile: ErasureProfile,
    sources: readonly number[],
    targets: readonly number[],
  ): Combination {
    const key = `${profile.k}+${profile.m}:${bits(sources)}:${bits(targets)}`;
    return this.#remember(key, () => makeCombination(this.#matrix(profile), sources, targets));
  }

  /** One target: the sum of `coefficients[i]` · source i. */
  ofCoefficients(coefficients: Uint8Array): Combination {
    return this.#remember(coefficients.join(), () => {
      const tables = new Uint8Array(coefficients.length * NIBBLE_TABLE_BYTES);
      coefficients.forEach((coefficient, column) => {
        writeNibbleTables(tables, column * NIBBLE_TABLE_BYTES, coefficient);
      });
      return { sources: [...coefficients.keys()], targets: [0], tables };
    });
  }

  #remember(key: string, make: () => Combination): Combination {
    let combination = this.#combinations.get(key);
    if (combination === undefined) {
      combination = make();
      const oldest = this.#combinations.keys().next();
      if (this.#combinations.size >= COMBINATIONS_MAX && oldest.done !== true) {
        this.#combinations.delete(oldest.value);
      }
    } else {
      this.#combinations.delete(key);
    }
    // A Map iterates in insertion order: the entry used last goes to the end, the oldest leaves.
    this.#combinations.set(key, combination);
    return combination;
  }

  #matrix(profile: ErasureProfile): Matrix {
    const key = `${profile.k}+${profile.m}`;
    let matrix = this.#matrices.get(key);
    if (matrix === undefined) {
      matrix = encodingMatrix(profile);
      this.#matrices.set(key, matrix);
    }
    return matrix;
  }
}

/** What shard `target` is in terms of k others: one coefficient for each of `sources`, in order. */
export function coefficientsOf(
  profile: ErasureProfile,
  sources: readonly number[],
  target: number,
): Uint8Array {
  const matrix = encodingMatrix(profile);
  const rows = [...sources, target].map((index) => matrix[index]);
  if (sources.length !== profile.k || rows.includes(undefined)) {
    throw new RangeError(`${sources.length} sources of ${profile.k}+${profile.m}`);
  }
  const decode = invertMatrix(rows.slice(0, profile.k) as Matrix);
  return multiplyRow(rows[profile.k] as Uint8Array, decode);
}

/** shards = E · data, sources = S · data, so targets = T · S⁻¹ · sources. */
function makeCombination(
  matrix: Matrix,
  sources: readonly number[],
  targets: readonly number[],
): Combination {
  const decode = invertMatrix(sources.map((source) => matrix[source] as Uint8Array));
  const k = sources.length;
  const tables = new Uint8Array(targets.length * k * NIBBLE_TABLE_BYTES);
  targets.forEach((target, row) => {
    const coefficients = multiplyRow(matrix[target] as Uint8Array, decode);
    coefficients.forEach((coefficient, column) => {
      writeNibbleTables(tables, (row * k + column) * NIBBLE_TABLE_BYTES, coefficient);
    });
  });
  return { sources, targets, tables };
}

function bits(indexes: readonly number[]): number {
  return indexes.reduce((mask, index) => mask + 2 ** index, 0);
}
