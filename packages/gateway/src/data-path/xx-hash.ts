import { createXXHash128, createXXHash3, createXXHash64 } from 'hash-wasm';
import type { IHasher } from 'hash-wasm';

import type { DigestAlgorithm } from './data-path';

export type XxHashAlgorithm = Extract<DigestAlgorithm, 'XXHASH64' | 'XXHASH3' | 'XXHASH128'>;

/** One hash of the xxHash family, with seed 0; its digest is canonical: big-endian. */
export interface XxHash {
  update(bytes: Uint8Array): void;
  /** Once, and last. */
  finish(): Buffer;
}

const CREATORS: Readonly<Record<XxHashAlgorithm, () => Promise<IHasher>>> = {
  XXHASH64: () => createXXHash64(),
  XXHASH3: () => createXXHash3(),
  XXHASH128: () => createXXHash128(),
};

const sharedHashers = new Map<XxHashAlgorithm, SharedHasher>();

/** Opens a hash; any number may be open at once. The first of an algorithm compiles its WASM. */
export async function openXxHash(algorithm: XxHashAlgorithm): Promise<XxHash> {
  let hasher = sharedHashers.get(algorithm);
  if (hasher === undefined) {
    const created = new SharedHasher(await CREATORS[algorithm]());
    // Somebody else may have been first meanwhile.
    hasher = sharedHashers.get(algorithm) ?? created;
    sharedHashers.set(algorithm, hasher);
  }
  return hasher.open();
}

/** What a hash knows while others use the instance; null before its first byte. */
interface Run {
  state: Uint8Array | null;
}

/**
 * One WASM instance for all the bodies that flow at the same time. Each call runs to its end, so it
 * is enough to change the state, of at most 600 bytes, when another body has its turn: 3 µs, beside
 * 7 to 13 for 64 KiB. An instance for each body would be 128 KiB, created asynchronously, and every
 * path that abandons a body would have to give it back.
 */
class SharedHasher {
  readonly #hasher: IHasher;
  /** Whose state is in the instance. */
  #current: Run | null = null;

  constructor(hasher: IHasher) {
    this.#hasher = hasher;
  }

  open(): XxHash {
    const run: Run = { state: null };
    return {
      update: (bytes) => {
        this.#switchTo(run);
        this.#hasher.update(bytes);
      },
      finish: () => {
        this.#switchTo(run);
        this.#current = null;
        return Buffer.from(this.#hasher.digest('binary'));
      },
    };
  }

  #switchTo(run: Run): void {
    if (this.#current === run) return;
    if (this.#current !== null) this.#current.state = this.#hasher.save();
    if (run.state === null) this.#hasher.init();
    else this.#hasher.load(run.state);
    this.#current = run;
  }
}
