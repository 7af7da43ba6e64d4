import { assert } from '@azimuth/common';
import type { ChecksumAlgorithm } from '@azimuth/proto';

/**
 * The CRC of a concatenation from the CRCs of its pieces, so that a FULL_OBJECT checksum of a
 * multipart upload needs no byte again (KC-2).
 *
 * A reflected CRC is a polynomial over GF(2) with the coefficient of x^0 in the highest bit. With
 * equal start and final inversion, `crc(A ‖ B) = crc(A) · x^(8·|B|) mod P  xor  crc(B)` (zlib
 * `crc32_combine`; Mark Adler, "How crc32_combine works").
 */
export type CrcAlgorithm = Extract<ChecksumAlgorithm, 'CRC32' | 'CRC32C' | 'CRC64NVME'>;

interface Polynomial {
  readonly widthBits: number;
  /** Reflected, without the highest term. */
  readonly reflected: bigint;
  /** x^(2^n) mod P at index n. */
  readonly powers: readonly bigint[];
}

/** Lengths are safe integers: 53 bits, and 3 more because a byte has 8 bits. */
const POWERS_COUNT = 56;

const POLYNOMIALS: Readonly<Record<CrcAlgorithm, Polynomial>> = {
  CRC32: makePolynomial(32, 0xedb88320n),
  CRC32C: makePolynomial(32, 0x82f63b78n),
  CRC64NVME: makePolynomial(64, 0x9a6c9329ac4bc9b5n),
};

export function isCrc(algorithm: ChecksumAlgorithm): algorithm is CrcAlgorithm {
  return algorithm === 'CRC32' || algorithm === 'CRC32C' || algorithm === 'CRC64NVME';
}

export interface CrcPiece {
  /** Big-endian. */
  readonly crc: Uint8Array;
  readonly sizeBytes: number;
}

/** The CRC, big-endian, of the pieces put together in order. */
export function combineCrcs(algorithm: CrcAlgorithm, pieces: readonly CrcPiece[]): Buffer {
  const polynomial = POLYNOMIALS[algorithm];
  const sizeBytes = polynomial.widthBits / 8;
  // Parts of an upload mostly have one size, so the expensive power is computed about twice.
  const shifts = new Map<number, bigint>();
  let combined = 0n;
  for (const piece of pieces) {
    assert(piece.crc.byteLength === sizeBytes, 'CRC of another width');
    let shift = shifts.get(piece.sizeBytes);
    if (shift === undefined) {
      shift = powerOfX(polynomial, piece.sizeBytes);
      shifts.set(piece.sizeBytes, shift);
    }
    combined = multiply(polynomial, shift, combined) ^ readBigEndian(piece.crc);
  }
  return Buffer.from(combined.toString(16).padStart(sizeBytes * 2, '0'), 'hex');
}

function readBigEndian(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).toString('hex')}`);
}

function makePolynomial(widthBits: number, reflected: bigint): Polynomial {
  const powers = [1n << BigInt(widthBits - 2)];
  const polynomial = { widthBits, reflected, powers };
  for (let n = 1; n < POWERS_COUNT; n += 1) {
    const previous = powers[n - 1] ?? 0n;
    powers.push(multiply(polynomial, previous, previous));
  }
  return polynomial;
}

/** x^(8·sizeBytes) mod P, by squaring. */
function powerOfX(polynomial: Polynomial, sizeBytes: number): bigint {
  assert(Number.isSafeInteger(sizeBytes) && sizeBytes >= 0, 'size out of range');
  let power = 1n << BigInt(polynomial.widthBits - 1);
  let rest = BigInt(sizeBytes);
  for (let n = 3; rest > 0n; n += 1, rest >>= 1n) {
    if ((rest & 1n) === 0n) continue;
    const factor = polynomial.powers[n];
    assert(factor !== undefined, 'size out of range');
    power = multiply(polynomial, factor, power);
  }
  return power;
}

/** a · b mod P in the reflected representation. */
function multiply(polynomial: Pick<Polynomial, 'widthBits' | 'reflected'>, a: bigint, b: bigint) {
  let product = 0n;
  let shifted = b;
  for (let bit = 1n << BigInt(polynomial.widthBits - 1); bit > 0n; bit >>= 1n) {
    if ((a & bit) !== 0n) product ^= shifted;
    shifted = (shifted & 1n) === 0n ? shifted >> 1n : (shifted >> 1n) ^ polynomial.reflected;
  }
  return product;
}
