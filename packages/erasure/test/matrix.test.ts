import fc from 'fast-check';

import { encodingMatrix } from '../src/encoding-matrix';
import { invert, multiply, power } from '../src/galois-field';
import { identity, invertMatrix, multiplyMatrices } from '../src/matrix';

const element = fc.nat(255);
const nonZero = fc.integer({ min: 1, max: 255 });

/** Multiplication as the definition says it: carry-less, reduced by 0x11D. */
function multiplyByDefinition(a: number, b: number): number {
  let product = 0;
  for (let bit = 0; bit < 8; bit += 1) if ((b >> bit) & 1) product ^= a << bit;
  for (let bit = 15; bit >= 8; bit -= 1) if ((product >> bit) & 1) product ^= 0x11d << (bit - 8);
  return product;
}

describe('GF(2^8)', () => {
  it('multiplies by the definition', () => {
    for (let a = 0; a < 256; a += 1) {
      for (let b = 0; b < 256; b += 1) {
        if (multiply(a, b) !== multiplyByDefinition(a, b)) throw new Error(`${a} · ${b}`);
      }
    }
  });

  it('inverts and raises', () => {
    fc.assert(fc.property(nonZero, (a) => expect(multiply(a, invert(a))).toBe(1)));
    fc.assert(
      fc.property(element, fc.nat(40), (a, n) => {
        expect(power(a, n + 1)).toBe(multiply(power(a, n), a));
      }),
    );
    expect(() => invert(0)).toThrow(RangeError);
  });
});

describe('matrices', () => {
  it('inverts any k rows of the encoding matrix: any k shards are enough', () => {
    const choice = fc
      .integer({ min: 1, max: 31 })
      .chain((k) => fc.tuple(fc.constant(k), fc.integer({ min: 1, max: 32 - k })))
      .chain(([k, m]) =>
        fc.record({
          k: fc.constant(k),
          m: fc.constant(m),
          rows: fc.shuffledSubarray([...Array(k + m).keys()], { minLength: k, maxLength: k }),
        }),
      );
    fc.assert(
      fc.property(choice, ({ k, m, rows }) => {
        const matrix = encodingMatrix({ k, m });
        expect(matrix.slice(0, k)).toEqual(identity(k));
        const square = rows.map((row) => matrix[row]!);
        expect(multiplyMatrices(square, invertMatrix(square))).toEqual(identity(k));
      }),
    );
  });

  it('refuses a singular matrix', () => {
    expect(() => invertMatrix([Uint8Array.of(1, 2), Uint8Array.of(1, 2)])).toThrow(RangeError);
  });
});
