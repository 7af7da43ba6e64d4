import fc from 'fast-check';

import { createCodec, encodeShards, reconstructShards } from '../src/index';
import type { ErasureProfile } from '../src/index';
import { ReedSolomonOracle } from './reed-solomon-oracle';

const codec = createCodec({ arenaBytes: 4 * 1024 * 1024 });
const oracle = new ReedSolomonOracle(4 * 1024 * 1024);

const profiles: fc.Arbitrary<ErasureProfile> = fc
  .integer({ min: 1, max: 31 })
  .chain((k) => fc.record({ k: fc.constant(k), m: fc.integer({ min: 1, max: 32 - k }) }));

/** Block lengths around the vector, the pair of vectors and the tile. */
const blockLengths = fc.oneof(
  fc.integer({ min: 1, max: 40 }).map((vectors) => vectors * 16),
  fc.constantFrom(8176, 8192, 8208, 16_384, 16_400),
);

const cases = fc
  .record({ profile: profiles, blockBytes: blockLengths, seed: fc.integer() })
  .chain((base) =>
    fc.record({
      base: fc.constant(base),
      missing: fc.uniqueArray(fc.nat(base.profile.k + base.profile.m - 1), {
        maxLength: base.profile.m,
      }),
    }),
  );

/** Pseudo-random bytes: fast-check would shrink megabytes of them one by one. */
function noise(sizeBytes: number, seed: number): Uint8Array {
  let state = seed | 1;
  return Uint8Array.from({ length: sizeBytes }, () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state & 0xff;
  });
}

function makeData(profile: ErasureProfile, sizeBytes: number, seed: number): Uint8Array[] {
  return Array.from({ length: profile.k }, (_, index) => noise(sizeBytes, seed * 31 + index));
}

describe('encode', () => {
  it('gives the bytes of the reed-solomon-erasure crate', () => {
    fc.assert(
      fc.property(cases, ({ base: { profile, blockBytes, seed } }) => {
        const data = makeData(profile, blockBytes, seed);
        const n = profile.k + profile.m;
        const offset = codec.arena.allocate(n * blockBytes)!;
        data.forEach((block, index) => codec.memory.set(block, offset + index * blockBytes));
        const parityOffset = offset + profile.k * blockBytes;
        codec.encode(profile, offset, parityOffset, blockBytes);
        const parity = codec.memory.slice(parityOffset, parityOffset + profile.m * blockBytes);
        codec.arena.free(offset);
        expect(Buffer.compare(parity, Buffer.concat(oracle.encode(data, profile.m)))).toBe(0);
      }),
      { numRuns: 300 },
    );
  });

  it('copies when k = 1', () => {
    const data = noise(1000, 7);
    const copies = encodeShards(codec, { k: 1, m: 2 }, [data]);
    expect(copies).toEqual([data, data]);
  });

  it('writes nothing but the parity blocks', () => {
    const guard = 0xa5;
    const offset = codec.arena.allocate(8 * 48)!;
    codec.memory.fill(guard, offset, offset + 8 * 48);
    codec.encodeBlocks(
      { k: 2, m: 2 },
      [offset, offset + 96, offset + 192, offset + 288].map((at) => at + 48),
      48,
    );
    for (const gap of [0, 96, 192, 288]) {
      const bytes = codec.memory.slice(offset + gap, offset + gap + 48);
      expect(bytes.every((byte) => byte === guard)).toBe(true);
    }
    codec.arena.free(offset);
  });
});

describe('reconstruct', () => {
  it('gives every missing shard, as the crate does, for any erasure of up to m', () => {
    fc.assert(
      fc.property(cases, ({ base: { profile, blockBytes, seed }, missing }) => {
        const data = makeData(profile, blockBytes, seed);
        const all = [...data, ...oracle.encode(data, profile.m)];
        const holed = all.map((shard, index) => (missing.includes(index) ? null : shard));
        const rebuilt = reconstructShards(codec, profile, holed, missing);
        const expected = oracle.reconstruct(holed, profile.k);
        missing.forEach((index, position) => {
          expect(Buffer.compare(rebuilt[position]!, all[index]!)).toBe(0);
          // The crate's WASM rebuilds data shards only.
          if (index < profile.k) expect(Buffer.compare(expected[index]!, all[index]!)).toBe(0);
        });
      }),
      { numRuns: 300 },
    );
  });

  it('takes shards of any length, longer than a chunk too', () => {
    const profile = { k: 3, m: 2 };
    for (const sizeBytes of [0, 1, 15, 17, 65_535, 65_536, 65_537, 200_001]) {
      const data = makeData(profile, sizeBytes, sizeBytes);
      const parity = encodeShards(codec, profile, data);
      const rebuilt = reconstructShards(codec, profile, [null, data[1]!, null, ...parity], [2, 0]);
      expect(Buffer.compare(rebuilt[0]!, data[2]!)).toBe(0);
      expect(Buffer.compare(rebuilt[1]!, data[0]!)).toBe(0);
    }
  });

  it('refuses fewer than k shards instead of inventing bytes', () => {
    const shard = noise(16, 1);
    expect(() => reconstructShards(codec, { k: 2, m: 2 }, [shard, null, null, null], [1])).toThrow(
      RangeError,
    );
  });

  it('refuses to overwrite a shard that is present', () => {
    const shard = noise(16, 1);
    expect(() => reconstructShards(codec, { k: 2, m: 1 }, [shard, shard, null], [1])).toThrow(
      RangeError,
    );
  });
});

describe('verify', () => {
  it('finds a flipped bit in any shard', () => {
    fc.assert(
      fc.property(cases, fc.nat(), ({ base: { profile, blockBytes, seed } }, position) => {
        const n = profile.k + profile.m;
        const offset = codec.arena.allocate(n * blockBytes)!;
        codec.memory.set(noise(profile.k * blockBytes, seed), offset);
        codec.encode(profile, offset, offset + profile.k * blockBytes, blockBytes);
        const blocks = Array.from({ length: n }, (_, index) => offset + index * blockBytes);
        const before = codec.verify(profile, blocks, blockBytes);
        codec.memory[offset + (position % (n * blockBytes))]! ^= 0x10;
        const after = codec.verify(profile, blocks, blockBytes);
        codec.arena.free(offset);
        expect([before, after]).toEqual([true, false]);
      }),
      { numRuns: 200 },
    );
  });
});

describe('limits', () => {
  it('refuses profiles outside k ≥ 1, m ≥ 1, k + m ≤ 32', () => {
    for (const profile of [
      { k: 0, m: 1 },
      { k: 1, m: 0 },
      { k: 17, m: 16 },
      { k: 1.5, m: 1 },
    ]) {
      expect(() => codec.encode(profile, 65_536, 131_072, 16)).toThrow(RangeError);
    }
  });

  it('refuses blocks outside the arena and lengths that are no multiple of 16', () => {
    const profile = { k: 2, m: 1 };
    expect(() => codec.encode(profile, 0, 65_536, 16)).toThrow(RangeError);
    expect(() => codec.encode(profile, 65_536, codec.memory.length - 8, 16)).toThrow(RangeError);
    expect(() => codec.encode(profile, 65_536, 131_072, 24)).toThrow(RangeError);
  });

  it('keeps memory in place, so that Buffers over it stay valid', () => {
    const { buffer } = codec.memory;
    while (codec.arena.allocate(1024 * 1024) !== null);
    expect(codec.memory.buffer).toBe(buffer);
    expect(codec.memory.length).toBe(buffer.byteLength);
    expect(buffer.byteLength).toBeGreaterThan(0);
  });
});
