import { coefficientsOf, createCodec, encodeShards } from '../src/index';

const codec = createCodec({ arenaBytes: 1024 * 1024 });
const BLOCK = 48;

/** All ways to pick `count` of `items`. */
function choices<T>(items: readonly T[], count: number): T[][] {
  if (count === 0) return [[]];
  return items.flatMap((item, index) =>
    choices(items.slice(index + 1), count - 1).map((rest) => [item, ...rest]),
  );
}

function encoded(k: number, m: number): Uint8Array[] {
  const data = Array.from({ length: k }, (_, shard) =>
    Uint8Array.from({ length: BLOCK }, (_unused, at) => (shard * 91 + at * 37 + 5) & 0xff),
  );
  return [...data, ...encodeShards(codec, { k, m }, data)];
}

function sum(coefficients: Uint8Array, blocks: readonly Uint8Array[]): Uint8Array {
  const base = codec.arena.allocate((blocks.length + 1) * BLOCK)!;
  const offsets = blocks.map((block, index) => {
    codec.memory.set(block, base + (index + 1) * BLOCK);
    return base + (index + 1) * BLOCK;
  });
  codec.combine(coefficients, offsets, base, BLOCK);
  const result = codec.memory.slice(base, base + BLOCK);
  codec.arena.free(base);
  return result;
}

describe('partial sums', () => {
  it.each([
    [4, 2],
    [3, 2],
    [5, 4],
    [1, 2],
  ])('of any %i sources of %i more, in any order, add up to any shard', (k, m) => {
    const shards = encoded(k, m);
    for (const sources of choices([...shards.keys()], k)) {
      const order = [...sources].reverse();
      for (const target of shards.keys()) {
        if (order.includes(target)) continue;
        const coefficients = coefficientsOf({ k, m }, order, target);
        const cut = Math.ceil(k / 2);
        const parts = [order.slice(0, cut), order.slice(cut)].flatMap((part, index) => {
          const own = coefficients.subarray(index * cut, index * cut + part.length);
          const blocks = part.map((shard) => shards[shard]!);
          return part.length === 0 ? [] : [sum(own, blocks)];
        });
        const whole = sum(
          Uint8Array.from(parts, () => 1),
          parts,
        );
        expect(Buffer.compare(whole, shards[target]!)).toBe(0);
      }
    }
  });

  it('refuses what only a bug can pass', () => {
    expect(() => coefficientsOf({ k: 2, m: 1 }, [0], 2)).toThrow(RangeError);
    expect(() => coefficientsOf({ k: 2, m: 1 }, [0, 3], 2)).toThrow(RangeError);
    const base = codec.arena.allocate(64)!;
    expect(() => codec.combine(Uint8Array.of(1, 1), [base], base, 16)).toThrow(RangeError);
    expect(() => codec.combine(Uint8Array.of(1), [base], base + 32, 17)).toThrow(RangeError);
    expect(() => codec.combine(Uint8Array.of(1), [0], base, 16)).toThrow(RangeError);
    codec.arena.free(base);
  });
});
