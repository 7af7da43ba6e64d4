import { Arena } from './arena';
import { CombinationCache } from './combination-cache';
import type { Combination } from './combination-cache';
import { checkProfile, SHARDS_MAX } from './encoding-matrix';
import type { ErasureProfile } from './encoding-matrix';
import { NIBBLE_TABLE_BYTES } from './galois-field';
import { instantiateKernel, WASM_PAGE_BYTES } from './kernel';
import type { Kernel } from './kernel';

/** Every block length is a multiple of this: a SIMD vector. */
export const VECTOR_BYTES = 16;

/** A shard to compute and where its block goes. */
export interface ReconstructionTarget {
  readonly shardIndex: number;
  readonly offset: number;
}

/**
 * Memory below the arena: the coefficient tables in use, the two address lists, verify's scratch.
 */
const TABLES_OFFSET = 1024;
/** k · m is greatest for 16+16. */
const TABLES_BYTES = (SHARDS_MAX / 2) ** 2 * NIBBLE_TABLE_BYTES;
const SOURCES_OFFSET = TABLES_OFFSET + TABLES_BYTES;
const TARGETS_OFFSET = SOURCES_OFFSET + SHARDS_MAX * 4;
const SCRATCH_TILE_BYTES = 1024;
const SCRATCH_OFFSET = 16_384;
const ARENA_OFFSET = WASM_PAGE_BYTES;

/**
 * Systematic Reed–Solomon over blocks that lie in the codec's own memory, so that bytes go from a
 * socket to the encoder and to sockets again without a copy. Offsets are absolute in `memory`;
 * allocate them from `arena`. Block lengths are multiples of 16 bytes.
 *
 * Methods throw RangeError for what only a bug can pass: an invalid profile, length or offset. They
 * are synchronous; nothing here waits.
 */
export interface Codec {
  /** The whole memory. It never grows or moves: a Buffer over it stays valid. */
  readonly memory: Uint8Array;
  readonly arena: Arena;

  /**
   * Fills m parity blocks from k data blocks. Block i of either lies at its offset + i ·
   * blockBytes; the two areas may not overlap.
   */
  encode(
    profile: ErasureProfile,
    dataOffset: number,
    parityOffset: number,
    blockBytes: number,
  ): void;

  /**
   * As `encode` for blocks anywhere: `blocks[i]` is the offset of block i, k data then m parity.
   */
  encodeBlocks(profile: ErasureProfile, blocks: readonly number[], blockBytes: number): void;

  /**
   * Computes the target blocks from the first k blocks that are present (not null). Targets are
   * shards whose block is null, data or parity, and at most m of them.
   */
  reconstruct(
    profile: ErasureProfile,
    blocks: readonly (number | null)[],
    targets: readonly ReconstructionTarget[],
    blockBytes: number,
  ): void;

  /**
   * Fills the block at `targetOffset` with the sum of `coefficients[i]` times the block at
   * `sourceOffsets[i]`: a part of a shard that others complete. Sums of parts are parts again, with
   * coefficient 1. See `coefficientsOf`.
   */
  combine(
    coefficients: Uint8Array,
    sourceOffsets: readonly number[],
    targetOffset: number,
    blockBytes: number,
  ): void;

  /** True when the m parity blocks are what the k data blocks give. */
  verify(profile: ErasureProfile, blocks: readonly number[], blockBytes: number): boolean;
}

/** A codec with `arenaBytes` (rounded up to 64 KiB) for blocks. */
export function createCodec(options: { readonly arenaBytes: number }): Codec {
  const arenaPages = Math.ceil(options.arenaBytes / WASM_PAGE_BYTES);
  const kernel = instantiateKernel(arenaPages + ARENA_OFFSET / WASM_PAGE_BYTES);
  return new WasmCodec(kernel, new Arena(ARENA_OFFSET, arenaPages * WASM_PAGE_BYTES));
}

class WasmCodec implements Codec {
  readonly memory: Uint8Array;
  readonly arena: Arena;
  readonly #kernel: Kernel;
  readonly #addresses: Uint32Array;
  readonly #combinations = new CombinationCache();
  /** The one whose tables are in memory now; most calls repeat it. */
  #loaded: Combination | null = null;

  constructor(kernel: Kernel, arena: Arena) {
    this.#kernel = kernel;
    this.memory = kernel.memory;
    this.arena = arena;
    this.#addresses = new Uint32Array(kernel.memory.buffer, 0, ARENA_OFFSET / 4);
  }

  encode(
    profile: ErasureProfile,
    dataOffset: number,
    parityOffset: number,
    blockBytes: number,
  ): void {
    const data = contiguous(profile.k, dataOffset, blockBytes);
    const parity = contiguous(profile.m, parityOffset, blockBytes);
    this.encodeBlocks(profile, [...data, ...parity], blockBytes);
  }

  encodeBlocks(profile: ErasureProfile, blocks: readonly number[], blockBytes: number): void {
    this.#checkBlocks(profile, blocks, blockBytes);
    const combination = this.#encoding(profile);
    this.#run(combination, blocks, blocks.slice(profile.k), blockBytes);
  }

  reconstruct(
    profile: ErasureProfile,
    blocks: readonly (number | null)[],
    targets: readonly ReconstructionTarget[],
    blockBytes: number,
  ): void {
    this.#checkBlocks(profile, blocks, blockBytes);
    if (targets.length === 0) return;
    const sources = firstPresent(blocks, profile.k);
    const ordered = [...targets].sort((a, b) => a.shardIndex - b.shardIndex);
    ordered.forEach(({ shardIndex, offset }, index) => {
      const isDouble = ordered[index - 1]?.shardIndex === shardIndex;
      if (blocks[shardIndex] !== null || isDouble) {
        throw new RangeError(`shard ${shardIndex} is not missing`);
      }
      this.#checkRange(offset, blockBytes);
    });
    const combination = this.#combinations.get(
      profile,
      sources,
      ordered.map(({ shardIndex }) => shardIndex),
    );
    const targetOffsets = ordered.map(({ offset }) => offset);
    this.#run(combination, blocks, targetOffsets, blockBytes);
  }

  combine(
    coefficients: Uint8Array,
    sourceOffsets: readonly number[],
    targetOffset: number,
    blockBytes: number,
  ): void {
    const { length } = sourceOffsets;
    if (length === 0 || length > SHARDS_MAX || coefficients.length !== length) {
      throw new RangeError(`${coefficients.length} coefficients for ${length} blocks`);
    }
    checkLength(blockBytes);
    for (const offset of [...sourceOffsets, targetOffset]) this.#checkRange(offset, blockBytes);
    const combination = this.#combinations.ofCoefficients(coefficients);
    this.#run(combination, sourceOffsets, [targetOffset], blockBytes);
  }

  verify(profile: ErasureProfile, blocks: readonly number[], blockBytes: number): boolean {
    this.#checkBlocks(profile, blocks, blockBytes);
    const combination = this.#encoding(profile);
    const parity = blocks.slice(profile.k);
    const scratch = contiguous(profile.m, SCRATCH_OFFSET, SCRATCH_TILE_BYTES);
    for (let from = 0; from < blockBytes; from += SCRATCH_TILE_BYTES) {
      const lengthBytes = Math.min(SCRATCH_TILE_BYTES, blockBytes - from);
      const tile = blocks.map((offset) => offset + from);
      this.#run(combination, tile, scratch, lengthBytes);
      const isEqual = parity.every(
        (offset, row) =>
          this.#kernel.equal(offset + from, scratch[row] as number, lengthBytes) !== 0,
      );
      if (!isEqual) return false;
    }
    return true;
  }

  #encoding(profile: ErasureProfile): Combination {
    const { k, m } = profile;
    return this.#combinations.get(profile, contiguous(k, 0, 1), contiguous(m, k, 1));
  }

  #run(
    combination: Combination,
    blocks: readonly (number | null)[],
    targets: readonly number[],
    blockBytes: number,
  ): void {
    if (this.#loaded !== combination) {
      this.memory.set(combination.tables, TABLES_OFFSET);
      this.#loaded = combination;
    }
    const { sources } = combination;
    sources.forEach((source, index) => {
      this.#addresses[SOURCES_OFFSET / 4 + index] = blocks[source] as number;
    });
    this.#addresses.set(targets, TARGETS_OFFSET / 4);
    this.#kernel.combine(
      TABLES_OFFSET,
      sources.length,
      targets.length,
      SOURCES_OFFSET,
      TARGETS_OFFSET,
      blockBytes,
    );
  }

  #checkBlocks(
    profile: ErasureProfile,
    blocks: readonly (number | null)[],
    blockBytes: number,
  ): void {
    checkProfile(profile);
    if (blocks.length !== profile.k + profile.m) {
      throw new RangeError(`${blocks.length} blocks for ${profile.k}+${profile.m}`);
    }
    checkLength(blockBytes);
    for (const offset of blocks) if (offset !== null) this.#checkRange(offset, blockBytes);
  }

  /** The kernel itself checks nothing: a wrong offset would overwrite another stripe. */
  #checkRange(offset: number, blockBytes: number): void {
    if (!(offset >= ARENA_OFFSET) || offset + blockBytes > this.memory.length) {
      throw new RangeError(`block at ${offset} is outside the arena`);
    }
  }
}

function checkLength(blockBytes: number): void {
  if (!(blockBytes > 0) || blockBytes % VECTOR_BYTES !== 0) {
    throw new RangeError(`block length ${blockBytes} is not a multiple of ${VECTOR_BYTES}`);
  }
}

function contiguous(count: number, offset: number, strideBytes: number): number[] {
  return Array.from({ length: count }, (_, index) => offset + index * strideBytes);
}

/** Data shards come first, so rebuilding from them costs the fewest multiplications. */
function firstPresent(blocks: readonly (number | null)[], k: number): number[] {
  const present: number[] = [];
  for (let index = 0; index < blocks.length && present.length < k; index += 1) {
    if (blocks[index] !== null) present.push(index);
  }
  if (present.length < k) throw new RangeError(`${present.length} of ${k} blocks are present`);
  return present;
}
