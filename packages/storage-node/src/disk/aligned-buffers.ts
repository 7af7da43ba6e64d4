/** What is used of the WebAssembly API; neither `lib.es2023` nor `@types/node` declares it. */
declare const WebAssembly: {
  readonly Memory: new (limits: { initial: number; maximum: number }) => {
    readonly buffer: ArrayBuffer;
  };
};

/** Offsets, lengths and addresses of a transfer that bypasses the page cache: a block of any disk. */
export const DIRECT_ALIGNMENT_BYTES = 4096;

const WASM_PAGE_BYTES = 65_536;
const BUFFERS_PER_SLAB = 16;

/**
 * Buffers of one size that start at a page of memory, used again and again. Node promises no
 * alignment for a Buffer, but WebAssembly memory starts at a page. It is reserved by the slab,
 * because every such memory costs gigabytes of address space; its pages cost nothing until touched.
 *
 * Slabs stay: callers bound what they hold at a time.
 */
export class AlignedBuffers {
  readonly #sizeBytes: number;
  readonly #idle: Buffer[] = [];

  /** `sizeBytes` is a multiple of 64 KiB. */
  constructor(sizeBytes: number) {
    this.#sizeBytes = sizeBytes;
  }

  take(): Buffer {
    const idle = this.#idle.pop();
    if (idle !== undefined) return idle;
    this.#addSlab();
    return this.take();
  }

  give(buffer: Buffer): void {
    this.#idle.push(buffer);
  }

  #addSlab(): void {
    const pages = (this.#sizeBytes / WASM_PAGE_BYTES) * BUFFERS_PER_SLAB;
    const slab = new WebAssembly.Memory({ initial: pages, maximum: pages }).buffer;
    for (let index = BUFFERS_PER_SLAB - 1; index >= 0; index -= 1) {
      this.#idle.push(Buffer.from(slab, index * this.#sizeBytes, this.#sizeBytes));
    }
  }
}
