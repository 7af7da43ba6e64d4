import type { Buffer } from 'node:buffer';

import { EMPTY_SHA256, isSignature, sign } from './sigv4';

/**
 * The chain of signatures over the chunks of one body: each covers the one before it, so that
 * chunks cannot be left out, moved or taken from another request.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html
 */
export class ChunkSignatureChain {
  readonly #signingKey: Buffer;
  readonly #timestampAndScope: string;
  #previousHex: string;

  /** @param seedHex signature of the request itself, already verified. */
  constructor(signingKey: Buffer, timestamp: string, scope: string, seedHex: string) {
    this.#signingKey = signingKey;
    this.#timestampAndScope = `${timestamp}\n${scope}`;
    this.#previousHex = seedHex;
  }

  /** True when `signatureHex` signs a chunk of this SHA-256 at this place; moves on by one. */
  verifyChunk(chunkSha256Hex: string, signatureHex: string): boolean {
    return this.#verify(
      'AWS4-HMAC-SHA256-PAYLOAD',
      `${EMPTY_SHA256}\n${chunkSha256Hex}`,
      signatureHex,
    );
  }

  /** True when `signatureHex` signs the trailing headers (`name:value\n` each) after the last chunk. */
  verifyTrailer(trailerSha256Hex: string, signatureHex: string): boolean {
    return this.#verify('AWS4-HMAC-SHA256-TRAILER', trailerSha256Hex, signatureHex);
  }

  #verify(algorithm: string, hashes: string, signatureHex: string): boolean {
    const text = `${algorithm}\n${this.#timestampAndScope}\n${this.#previousHex}\n${hashes}`;
    const isValid = isSignature(sign(this.#signingKey, text), signatureHex);
    this.#previousHex = signatureHex;
    return isValid;
  }
}
