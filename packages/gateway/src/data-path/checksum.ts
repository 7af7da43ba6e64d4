import { createHash } from 'node:crypto';

import { Crc64Nvme } from '@aws-sdk/crc64-nvme';
import { unreachable } from '@azimuth/common';
import { crc32, crc32c } from '@node-rs/crc32';

import type { DigestAlgorithm } from './data-path';

interface Digest {
  update(bytes: Uint8Array): void;
  finish(): Buffer | Promise<Buffer>;
}

/** All digests of a body in one pass: each piece is still in the cache for the second one. */
export class BodyDigests {
  readonly #digests: readonly (readonly [DigestAlgorithm, Digest])[];

  constructor(algorithms: Iterable<DigestAlgorithm>) {
    this.#digests = Array.from(new Set(algorithms), (name) => [name, openDigest(name)] as const);
  }

  update(bytes: Uint8Array): void {
    for (const [, digest] of this.#digests) digest.update(bytes);
  }

  /** Raw digests, CRCs big-endian. */
  async finish(): Promise<ReadonlyMap<DigestAlgorithm, Buffer>> {
    const results = new Map<DigestAlgorithm, Buffer>();
    for (const [name, digest] of this.#digests) results.set(name, await digest.finish());
    return results;
  }
}

function openDigest(algorithm: DigestAlgorithm): Digest {
  switch (algorithm) {
    case 'MD5':
      return hashDigest('md5');
    case 'SHA1':
      return hashDigest('sha1');
    case 'SHA256':
      return hashDigest('sha256');
    case 'SHA512':
      return hashDigest('sha512');
    case 'CRC32':
      return crcDigest(crc32);
    case 'CRC32C':
      return crcDigest(crc32c);
    case 'CRC64NVME':
      return crc64Digest();
    default:
      return unreachable(algorithm);
  }
}

function hashDigest(name: string): Digest {
  const hash = createHash(name);
  return {
    update(bytes) {
      hash.update(bytes);
    },
    finish: () => hash.digest(),
  };
}

function crcDigest(step: (bytes: Uint8Array, crc: number) => number): Digest {
  let crc = 0;
  return {
    update(bytes) {
      crc = step(bytes, crc);
    },
    finish() {
      const bytes = Buffer.alloc(4);
      bytes.writeUInt32BE(crc);
      return bytes;
    },
  };
}

function crc64Digest(): Digest {
  const crc = new Crc64Nvme();
  return {
    update(bytes) {
      crc.update(bytes);
    },
    finish: async () => Buffer.from(await crc.digest()),
  };
}
