import { readFileSync } from 'node:fs';

interface OracleExports {
  readonly memory: { readonly buffer: ArrayBuffer; grow(pages: number): number };
  encode(shards: number, shardBytes: number, k: number, m: number): number;
  reconstruct(shards: number, shardBytes: number, k: number, m: number, available: number): number;
}

declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object, imports: object) => { readonly exports: unknown };
};

const PAGE_BYTES = 65_536;

/**
 * The Rust crate `reed-solomon-erasure` as its author compiled it to WASM: the reference that
 * every byte of the codec is compared with. Shards lie one behind the other at `shardsOffset`, in
 * pages that were added to its memory, where its own allocator does not look.
 */
export class ReedSolomonOracle {
  readonly #exports: OracleExports;
  readonly shardsOffset: number;
  readonly #availableOffset: number;

  constructor(capacityBytes: number) {
    const path = require.resolve('reed-solomon-erasure/reed_solomon_erasure_bg.wasm');
    const module = new WebAssembly.Module(readFileSync(path));
    this.#exports = new WebAssembly.Instance(module, {}).exports as OracleExports;
    const pages = Math.ceil(capacityBytes / PAGE_BYTES) + 1;
    this.#availableOffset = this.#exports.memory.grow(pages) * PAGE_BYTES;
    this.shardsOffset = this.#availableOffset + PAGE_BYTES;
  }

  /** Its memory may grow in any call, so take a fresh view after each. */
  bytes(): Uint8Array {
    return new Uint8Array(this.#exports.memory.buffer);
  }

  encodeInPlace(k: number, m: number, shardBytes: number): void {
    const status = this.#exports.encode(this.shardsOffset, shardBytes, k, m);
    if (status !== 0) throw new Error(`oracle refused to encode: ${status}`);
  }

  encode(data: readonly Uint8Array[], m: number): Uint8Array[] {
    const shardBytes = data[0]?.length ?? 0;
    data.forEach((shard, index) => this.bytes().set(shard, this.#shardOffset(index, shardBytes)));
    this.encodeInPlace(data.length, m, shardBytes);
    return Array.from({ length: m }, (_, index) => this.#read(data.length + index, shardBytes));
  }

  reconstruct(shards: readonly (Uint8Array | null)[], k: number): Uint8Array[] {
    const shardBytes = shards.find((shard) => shard !== null)?.length ?? 0;
    shards.forEach((shard, index) => {
      const bytes = this.bytes();
      const offset = this.#shardOffset(index, shardBytes);
      bytes.fill(0, offset, offset + shardBytes);
      if (shard !== null) bytes.set(shard, offset);
      bytes[this.#availableOffset + index] = shard === null ? 0 : 1;
    });
    const m = shards.length - k;
    const status = this.#exports.reconstruct(
      this.shardsOffset,
      shardBytes,
      k,
      m,
      this.#availableOffset,
    );
    if (status !== 0) throw new Error(`oracle refused to reconstruct: ${status}`);
    return shards.map((_, index) => this.#read(index, shardBytes));
  }

  #shardOffset(index: number, shardBytes: number): number {
    return this.shardsOffset + index * shardBytes;
  }

  #read(index: number, shardBytes: number): Uint8Array {
    const offset = this.#shardOffset(index, shardBytes);
    return this.bytes().slice(offset, offset + shardBytes);
  }
}
