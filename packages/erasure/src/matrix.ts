import { invert, multiply } from './galois-field';

/** A matrix over GF(2^8): rows of equal length. */
export type Matrix = readonly Uint8Array[];

export function identity(size: number): Matrix {
  return Array.from({ length: size }, (_, index) => {
    const row = new Uint8Array(size);
    row[index] = 1;
    return row;
  });
}

export function multiplyMatrices(left: Matrix, right: Matrix): Matrix {
  return left.map((row) => multiplyRow(row, right));
}

/** The row vector `row` times `matrix`. */
export function multiplyRow(row: Uint8Array, matrix: Matrix): Uint8Array {
  const result = new Uint8Array(matrix[0]?.length ?? 0);
  row.forEach((factor, index) => {
    addScaled(result, matrix[index] as Uint8Array, factor);
  });
  return result;
}

/**
 * The inverse, by Gauss–Jordan elimination.
 *
 * @throws RangeError when the matrix is singular.
 */
export function invertMatrix(matrix: Matrix): Matrix {
  const left = matrix.map((row) => Uint8Array.from(row));
  const right = identity(matrix.length).map((row) => Uint8Array.from(row));
  for (let column = 0; column < left.length; column += 1) {
    const pivot = left.findIndex((row, index) => index >= column && row[column] !== 0);
    if (pivot === -1) throw new RangeError('the matrix is singular');
    swap(left, column, pivot);
    swap(right, column, pivot);
    const pivotLeft = left[column] as Uint8Array;
    const pivotRight = right[column] as Uint8Array;
    const scale = invert(pivotLeft[column] as number);
    scaleRow(pivotLeft, scale);
    scaleRow(pivotRight, scale);
    left.forEach((row, index) => {
      const factor = row[column] as number;
      if (index === column || factor === 0) return;
      addScaled(row, pivotLeft, factor);
      addScaled(right[index] as Uint8Array, pivotRight, factor);
    });
  }
  return right;
}

function addScaled(target: Uint8Array, source: Uint8Array, factor: number): void {
  for (let index = 0; index < target.length; index += 1) {
    target[index] = (target[index] as number) ^ multiply(factor, source[index] as number);
  }
}

function scaleRow(row: Uint8Array, factor: number): void {
  for (let index = 0; index < row.length; index += 1) {
    row[index] = multiply(factor, row[index] as number);
  }
}

function swap(rows: Uint8Array[], a: number, b: number): void {
  const row = rows[a] as Uint8Array;
  rows[a] = rows[b] as Uint8Array;
  rows[b] = row;
}
