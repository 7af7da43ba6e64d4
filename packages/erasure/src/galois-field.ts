/**
 * GF(2^8) with the polynomial x^8 + x^4 + x^3 + x^2 + 1 (0x11D) and generator 2: the field of the
 * `reed-solomon-erasure` crate, ISA-L and Plank's tutorial. Addition and subtraction are XOR.
 */
const POLYNOMIAL = 0x11d;
const GROUP_ORDER = 255;

const EXP = new Uint8Array(2 * GROUP_ORDER);
const LOG = new Uint8Array(256);

for (let power = 0, element = 1; power < GROUP_ORDER; power += 1) {
  EXP[power] = element;
  EXP[power + GROUP_ORDER] = element;
  LOG[element] = power;
  element <<= 1;
  if (element > 255) element ^= POLYNOMIAL;
}

export function multiply(a: number, b: number): number {
  if (a === 0 || b === 0) return 0;
  return EXP[(LOG[a] as number) + (LOG[b] as number)] as number;
}

/** @throws RangeError for 0, which has no inverse. */
export function invert(a: number): number {
  if (a === 0) throw new RangeError('0 has no inverse in GF(2^8)');
  return EXP[GROUP_ORDER - (LOG[a] as number)] as number;
}

/** `base` to the `exponent`; everything to the 0 is 1, as in the crate. */
export function power(base: number, exponent: number): number {
  if (exponent === 0) return 1;
  if (base === 0) return 0;
  return EXP[((LOG[base] as number) * exponent) % GROUP_ORDER] as number;
}

/**
 * Bytes of the two 16-entry tables of one coefficient: products of the low and the high nibbles.
 */
export const NIBBLE_TABLE_BYTES = 32;

/** Writes the split tables of `coefficient`: x·c = low[x & 15] ^ high[x >> 4]. */
export function writeNibbleTables(target: Uint8Array, offset: number, coefficient: number): void {
  for (let nibble = 0; nibble < 16; nibble += 1) {
    target[offset + nibble] = multiply(coefficient, nibble);
    target[offset + 16 + nibble] = multiply(coefficient, nibble << 4);
  }
}
