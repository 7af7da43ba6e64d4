import { power } from './galois-field';
import { invertMatrix, multiplyMatrices } from './matrix';
import type { Matrix } from './matrix';

/** k data shards and m parity shards; k = 1 is replication. */
export interface ErasureProfile {
  readonly k: number;
  readonly m: number;
}

export const SHARDS_MAX = 32;

/**
 * The systematic (k+m) × k matrix: identity on top, parity rows below. As the
 * `reed-solomon-erasure` crate makes it: the Vandermonde matrix r^c times the inverse of its upper
 * square. Any k rows of a Vandermonde matrix with distinct r are independent, and multiplying from
 * the right keeps that, so any k shards rebuild the rest. With k = 1 every row is [1]: copies.
 */
export function encodingMatrix(profile: ErasureProfile): Matrix {
  checkProfile(profile);
  const vandermonde = Array.from({ length: profile.k + profile.m }, (_, row) =>
    Uint8Array.from({ length: profile.k }, (_unused, column) => power(row, column)),
  );
  return multiplyMatrices(vandermonde, invertMatrix(vandermonde.slice(0, profile.k)));
}

/** @throws RangeError unless k ≥ 1, m ≥ 1 and k + m ≤ 32. */
export function checkProfile(profile: ErasureProfile): void {
  const { k, m } = profile;
  const isValid = Number.isInteger(k) && Number.isInteger(m) && k >= 1 && m >= 1;
  if (!isValid || k + m > SHARDS_MAX) throw new RangeError(`invalid profile ${k}+${m}`);
}
