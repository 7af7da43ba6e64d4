import { KERNEL_WASM_BASE64 } from './gen/kernel-wasm';

/** What is used of the WebAssembly API; neither `lib.es2023` nor `@types/node` declares it. */
interface WasmMemory {
  readonly buffer: ArrayBuffer;
}

declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object, imports: object) => { readonly exports: unknown };
  readonly Memory: new (limits: { initial: number; maximum: number }) => WasmMemory;
};

export const WASM_PAGE_BYTES = 65_536;

/** The compiled `kernel/kernel.ts` over its own memory. */
export interface Kernel {
  readonly memory: Uint8Array;
  readonly combine: (
    tables: number,
    k: number,
    rows: number,
    sources: number,
    ...rest: [targets: number, lengthBytes: number]
  ) => void;
  readonly equal: (a: number, b: number, lengthBytes: number) => number;
}

/**
 * Instantiates the kernel over `pages` pages of memory, which never grow: views of it stay valid.
 */
export function instantiateKernel(pages: number): Kernel {
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
  const module = new WebAssembly.Module(decodeBase64(KERNEL_WASM_BASE64));
  const { exports } = new WebAssembly.Instance(module, { env: { memory } });
  const { combine, equal } = exports as Pick<Kernel, 'combine' | 'equal'>;
  return { memory: new Uint8Array(memory.buffer), combine, equal };
}

function decodeBase64(base64: string): Uint8Array {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}
