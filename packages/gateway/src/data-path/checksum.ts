import { createHash } from 'node:crypto';

import { Crc64Nvme } from '@aws-sdk/crc64-nvme';
import { unreachable } from '@azimuth/common';
import { crc32, crc32c } from '@node-rs/crc32';

import type { DigestAlgorithm } from './data-path';
import { openXxHash } from './xx-hash';

interface Digest {
  update(bytes: Uint8Array): void;
  finish(): Buffer | Promise<Buffer>;
}

/** All digests of a body in one pass: each piece is still in the cache for the second one. */
export class BodyDigests {
  readonly #digests: ReadonlyMap<DigestAlgorithm, Digest>;

  private constructor(digests: ReadonlyMap<DigestAlgorithm, Digest>) {
    this.#digests = digests;
  }

  static async open(algorithms: Iterable<DigestAlgorithm>): Promise<BodyDigests> {
    const digests = new Map<DigestAlgorithm, Digest>();
    for (const name of new Set(algorithms)) digests.set(name, await openDigest(name));
    return new BodyDigests(digests);
  }

  update(bytes: Uint8Array): void {
    for (const digest of this.#digests.values()) digest.update(bytes);
  }

  /** Raw digests, those that are numbers big-endian. */
  async finish(): Promise<ReadonlyMap<DigestAlgorithm, Buffer>> {
    const results = new Map<DigestAlgorithm, Buffer>();
    for (const [name, digest] of this.#digests) results.set(name, await digest.finish());
    return results;
  }
}

function openDigest(algorithm: DigestAlgorithm): Digest | Promise<Digest> {
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
    case 'XXHASH64':
    case 'XXHASH3':
    case 'XXHASH128':
      return openXxHash(algorithm);
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
