/**
 * The inner loop of the codec: linear combinations of blocks over GF(2^8), in WASM SIMD.
 * Multiplying 16 bytes by a coefficient is two table look-ups with `swizzle`, one for each nibble
 * (Plank, Greenan, Miller: "Screaming Fast Galois Field Arithmetic Using Intel SIMD Instructions",
 * FAST '13).
 *
 * Compiled by `npm run build:kernel` into `src/gen/kernel-wasm.ts`. No allocation, no static data:
 * every address comes from the caller, who has checked it.
 */

/**
 * k + rows tiles of this size stay in the L2 cache, so each further pair of rows reads from
 * there.
 */
const TILE_BYTES: u32 = 8192;

/**
 * targets[r] = Σ coefficient[r][j] · sources[j], for `rows` targets over `k` sources.
 *
 * `tables`: rows × k pairs of 16-byte nibble tables. `sources`, `targets`: arrays of u32 addresses.
 * `length` is a multiple of 16. A target may not overlap a source.
 */
export function combine(
  tables: usize,
  k: u32,
  rows: u32,
  sources: usize,
  targets: usize,
  length: u32,
): void {
  for (let from: u32 = 0; from < length; from += TILE_BYTES) {
    const to = min(from + TILE_BYTES, length);
    let row: u32 = 0;
    for (; row + 1 < rows; row += 2) {
      const table = tables + row * k * 32;
      combineTwo(
        table,
        k,
        sources,
        load<u32>(targets + row * 4),
        load<u32>(targets + row * 4, 4),
        from,
        to,
      );
    }
    if (row < rows) {
      combineOne(tables + row * k * 32, k, sources, load<u32>(targets + row * 4), from, to);
    }
  }
}

/** Two rows at once: each source byte is loaded and split into nibbles once for both. */
function combineTwo(
  tables: usize,
  k: u32,
  sources: usize,
  target0: usize,
  target1: usize,
  from: u32,
  to: u32,
): void {
  const mask = i8x16.splat(0x0f);
  const sourcesEnd = sources + k * 4;
  const nextRow = k * 32;
  let at = from;
  for (; at + 32 <= to; at += 32) {
    let a0 = i8x16.splat(0);
    let b0 = i8x16.splat(0);
    let a1 = i8x16.splat(0);
    let b1 = i8x16.splat(0);
    let table = tables;
    for (let pointer = sources; pointer < sourcesEnd; pointer += 4) {
      const source = <usize>load<u32>(pointer) + at;
      const a = v128.load(source);
      const b = v128.load(source, 16);
      const aLow = v128.and(a, mask);
      const bLow = v128.and(b, mask);
      const aHigh = v128.shr<u8>(a, 4);
      const bHigh = v128.shr<u8>(b, 4);
      const low0 = v128.load(table);
      const high0 = v128.load(table, 16);
      a0 = v128.xor(a0, v128.xor(i8x16.swizzle(low0, aLow), i8x16.swizzle(high0, aHigh)));
      b0 = v128.xor(b0, v128.xor(i8x16.swizzle(low0, bLow), i8x16.swizzle(high0, bHigh)));
      const low1 = v128.load(table + nextRow);
      const high1 = v128.load(table + nextRow, 16);
      a1 = v128.xor(a1, v128.xor(i8x16.swizzle(low1, aLow), i8x16.swizzle(high1, aHigh)));
      b1 = v128.xor(b1, v128.xor(i8x16.swizzle(low1, bLow), i8x16.swizzle(high1, bHigh)));
      table += 32;
    }
    v128.store(target0 + at, a0);
    v128.store(target0 + at, b0, 16);
    v128.store(target1 + at, a1);
    v128.store(target1 + at, b1, 16);
  }
  if (at < to) {
    combineLast(tables, k, sources, target0 + at, at);
    combineLast(tables + nextRow, k, sources, target1 + at, at);
  }
}

function combineOne(
  tables: usize,
  k: u32,
  sources: usize,
  target: usize,
  from: u32,
  to: u32,
): void {
  const mask = i8x16.splat(0x0f);
  const sourcesEnd = sources + k * 4;
  let at = from;
  for (; at + 32 <= to; at += 32) {
    let a0 = i8x16.splat(0);
    let b0 = i8x16.splat(0);
    let table = tables;
    for (let pointer = sources; pointer < sourcesEnd; pointer += 4) {
      const source = <usize>load<u32>(pointer) + at;
      const a = v128.load(source);
      const b = v128.load(source, 16);
      const low = v128.load(table);
      const high = v128.load(table, 16);
      const aLow = i8x16.swizzle(low, v128.and(a, mask));
      const aHigh = i8x16.swizzle(high, v128.shr<u8>(a, 4));
      const bLow = i8x16.swizzle(low, v128.and(b, mask));
      const bHigh = i8x16.swizzle(high, v128.shr<u8>(b, 4));
      a0 = v128.xor(a0, v128.xor(aLow, aHigh));
      b0 = v128.xor(b0, v128.xor(bLow, bHigh));
      table += 32;
    }
    v128.store(target + at, a0);
    v128.store(target + at, b0, 16);
  }
  if (at < to) combineLast(tables, k, sources, target + at, at);
}

/** The 16 bytes that are left when a tile is an odd number of vectors. */
function combineLast(tables: usize, k: u32, sources: usize, target: usize, at: u32): void {
  const mask = i8x16.splat(0x0f);
  let sum = i8x16.splat(0);
  let table = tables;
  for (let index: u32 = 0; index < k; index += 1) {
    const bytes = v128.load(<usize>load<u32>(sources + index * 4) + at);
    const low = i8x16.swizzle(v128.load(table), v128.and(bytes, mask));
    const high = i8x16.swizzle(v128.load(table, 16), v128.shr<u8>(bytes, 4));
    sum = v128.xor(sum, v128.xor(low, high));
    table += 32;
  }
  v128.store(target, sum);
}

/** True when `length` bytes (a multiple of 16) at `a` and `b` are equal. */
export function equal(a: usize, b: usize, length: u32): bool {
  for (let at: u32 = 0; at < length; at += 16) {
    if (v128.any_true(v128.xor(v128.load(a + at), v128.load(b + at)))) return false;
  }
  return true;
}
