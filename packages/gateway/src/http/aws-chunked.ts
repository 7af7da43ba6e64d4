import { Buffer } from 'node:buffer';
import type { Hash } from 'node:crypto';
import { createHash } from 'node:crypto';

import type { ChunkSignatureChain } from '../auth/sigv4-streaming';
import { EMPTY_SHA256, sha256Hex } from '../auth/sigv4';
import type { ByteSink, ByteSource } from '../data-path/byte-source';
import { invalidRequest, S3Error } from '../s3/s3-error';
import { hexDigit } from './percent-encoding';

/** G-5: signing tiny chunks costs more than moving them. */
const SIGNED_CHUNK_BYTES_MIN = 8 * 1024;
const SIZE_DIGITS_MAX = 12;
const LINE_BYTES_MAX = 512;
const TRAILER_LINES_MAX = 16;
const SIGNATURE_EXTENSION = ';chunk-signature=';
const TRAILER_SIGNATURE = 'x-amz-trailer-signature';

const LINE_FEED = 0x0a;

export interface AwsChunkedOptions {
  /** `x-amz-decoded-content-length` */
  readonly sizeBytes: number;
  /** Null for the unsigned mode. */
  readonly signatures: ChunkSignatureChain | null;
  readonly hasTrailer: boolean;
  readonly announcedTrailers: readonly string[];
}

/**
 * What the next byte belongs to: a chunk's header line, its data, the line end after its data, the
 * lines after the last chunk, or nothing any more.
 */
type State = 'header' | 'data' | 'data-end' | 'trailer' | 'done';

/**
 * Decodes an `aws-chunked` body. Data flows on as slices of what arrived, before the signature of
 * its chunk was seen; `readInto` resolves only after every signature, the length and the trailers
 * were verified, and nothing may be committed before it does.
 *
 * Errors: S3Error SignatureDoesNotMatch, InvalidChunkSizeError, IncompleteBody (cut short, or not
 * `sizeBytes` long), MalformedTrailerError, InvalidRequest (not aws-chunked).
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html
 */
export class AwsChunkedSource implements ByteSource {
  readonly #inner: ByteSource;
  readonly #options: AwsChunkedOptions;
  readonly #trailers = new Map<string, string>();
  #state: State = 'header';
  #line = '';
  #chunkBytesLeft = 0;
  #chunkSizeBytes = 0;
  #chunkSignatureHex = '';
  #chunkHash: Hash | null = null;
  #decodedBytes = 0;
  #trailerLines = 0;
  #trailerText = '';
  #trailerSignatureHex: string | null = null;
  /** The last line was a trailer that ended with a line feed alone. */
  #isBareTrailer = false;

  constructor(inner: ByteSource, options: AwsChunkedOptions) {
    this.#inner = inner;
    this.#options = options;
  }

  /** Complete once `readInto` has resolved. */
  get trailers(): ReadonlyMap<string, string> {
    return this.#trailers;
  }

  async readInto(sink: ByteSink): Promise<void> {
    await this.#inner.readInto((chunk) => this.#consume(asBuffer(chunk), 0, sink));
    this.#requireEnd();
  }

  #consume(input: Buffer, start: number, sink: ByteSink): Promise<void> | undefined {
    let offset = start;
    while (offset < input.length) {
      if (this.#state === 'data') {
        const end = Math.min(input.length, offset + this.#chunkBytesLeft);
        const slice = input.subarray(offset, end);
        offset = end;
        this.#takeData(slice);
        const wait = sink(slice);
        if (wait !== undefined) {
          const next = offset;
          return wait.then(() => this.#consume(input, next, sink));
        }
      } else {
        offset = this.#takeLine(input, offset);
      }
    }
    return undefined;
  }

  #takeData(slice: Buffer): void {
    this.#chunkHash?.update(slice);
    this.#decodedBytes += slice.length;
    this.#chunkBytesLeft -= slice.length;
    if (this.#chunkBytesLeft > 0) return;
    this.#state = 'data-end';
    if (this.#chunkHash !== null) this.#requireChunkSignature(this.#chunkHash.digest('hex'));
  }

  /** Collects a line that may be spread over several inputs; returns where the next byte is. */
  #takeLine(input: Buffer, offset: number): number {
    const lineFeed = input.indexOf(LINE_FEED, offset);
    const end = lineFeed < 0 ? input.length : lineFeed;
    if (this.#line.length + end - offset > LINE_BYTES_MAX) throw this.#malformed();
    this.#line += input.toString('latin1', offset, end);
    if (lineFeed < 0) return end;
    const line = this.#line;
    this.#line = '';
    this.#handleLine(line);
    return lineFeed + 1;
  }

  #handleLine(line: string): void {
    const hasReturn = line.endsWith('\r');
    const text = hasReturn ? line.slice(0, -1) : line;
    if (this.#state === 'trailer') {
      this.#handleTrailerLine(text, hasReturn);
      return;
    }
    if (!hasReturn) throw this.#malformed();
    if (this.#state === 'header') {
      this.#handleChunkHeader(text);
    } else if (this.#state === 'data-end' && text === '') {
      this.#state = 'header';
    } else {
      throw this.#malformed();
    }
  }

  #handleChunkHeader(text: string): void {
    const { signatures, sizeBytes } = this.#options;
    const semicolon = text.indexOf(';');
    const chunkSizeBytes = parseChunkSize(semicolon < 0 ? text : text.slice(0, semicolon));
    if (chunkSizeBytes === null) throw this.#malformed();
    if (signatures === null) {
      if (semicolon >= 0) throw this.#malformed();
    } else {
      if (semicolon < 0 || !text.startsWith(SIGNATURE_EXTENSION, semicolon)) {
        throw new S3Error('SignatureDoesNotMatch');
      }
      this.#chunkSignatureHex = text.slice(semicolon + SIGNATURE_EXTENSION.length);
      const wasShort = this.#decodedBytes > 0 && this.#chunkSizeBytes < SIGNED_CHUNK_BYTES_MIN;
      if (wasShort && chunkSizeBytes > 0) throw new S3Error('InvalidChunkSizeError');
    }
    if (chunkSizeBytes > sizeBytes - this.#decodedBytes) throw incompleteBody();
    this.#chunkSizeBytes = chunkSizeBytes;
    this.#chunkBytesLeft = chunkSizeBytes;
    if (chunkSizeBytes > 0) {
      this.#state = 'data';
      this.#chunkHash = signatures === null ? null : createHash('sha256');
    } else {
      // The signature of the last, empty chunk is what proves that the body was not cut short.
      if (signatures !== null) this.#requireChunkSignature(EMPTY_SHA256);
      this.#state = 'trailer';
    }
  }

  #requireChunkSignature(chunkSha256Hex: string): void {
    const { signatures } = this.#options;
    if (signatures?.verifyChunk(chunkSha256Hex, this.#chunkSignatureHex) !== true) {
      throw new S3Error('SignatureDoesNotMatch');
    }
  }

  #handleTrailerLine(text: string, hasReturn: boolean): void {
    const { hasTrailer, signatures, announcedTrailers } = this.#options;
    this.#trailerLines += 1;
    if (this.#trailerLines > TRAILER_LINES_MAX) throw malformedTrailer();
    if (text === '') {
      // Some clients send an empty line between the trailers and their signature.
      const isSignatureToCome =
        hasTrailer && signatures !== null && this.#trailerSignatureHex === null;
      // minio-go ends a trailer with a line feed and begins what follows with a line end of its own.
      const isEndToCome = this.#isBareTrailer && signatures === null;
      this.#isBareTrailer = false;
      if (!isSignatureToCome && !isEndToCome) this.#state = 'done';
      return;
    }
    this.#isBareTrailer = !hasReturn;
    const colon = text.indexOf(':');
    if (!hasTrailer || colon <= 0 || this.#trailerSignatureHex !== null) throw malformedTrailer();
    const name = text.slice(0, colon).toLowerCase();
    const value = text.slice(colon + 1).trim();
    if (name === TRAILER_SIGNATURE && signatures !== null) {
      this.#trailerSignatureHex = value;
      return;
    }
    if (!announcedTrailers.includes(name) || this.#trailers.has(name)) throw malformedTrailer();
    this.#trailers.set(name, value);
    this.#trailerText += `${name}:${value}\n`;
  }

  #requireEnd(): void {
    const { sizeBytes, signatures, hasTrailer, announcedTrailers } = this.#options;
    // The last line end may be missing: what matters is proven by signature and length.
    const hasLastChunk = this.#state === 'done' || this.#state === 'trailer';
    if (!hasLastChunk || this.#decodedBytes !== sizeBytes) throw incompleteBody();
    const isLineEndCut = this.#state === 'trailer' && this.#line === '\r';
    if (this.#line !== '' && !isLineEndCut) throw malformedTrailer();
    if (announcedTrailers.some((name) => !this.#trailers.has(name))) throw malformedTrailer();
    if (hasTrailer && signatures !== null) {
      const signatureHex = this.#trailerSignatureHex;
      if (signatureHex === null) throw malformedTrailer();
      if (!signatures.verifyTrailer(sha256Hex(this.#trailerText), signatureHex)) {
        throw new S3Error('SignatureDoesNotMatch');
      }
    }
  }

  #malformed(): S3Error {
    return this.#state === 'trailer' || this.#state === 'done'
      ? malformedTrailer()
      : invalidRequest('The body is not well-formed aws-chunked data.');
  }
}

function parseChunkSize(text: string): number | null {
  if (text.length === 0 || text.length > SIZE_DIGITS_MAX) return null;
  let size = 0;
  for (let index = 0; index < text.length; index += 1) {
    const digit = hexDigit(text.charCodeAt(index));
    if (digit < 0) return null;
    size = size * 16 + digit;
  }
  return size;
}

function asBuffer(chunk: Uint8Array): Buffer {
  return Buffer.isBuffer(chunk)
    ? chunk
    : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
}

function incompleteBody(): S3Error {
  return new S3Error('IncompleteBody');
}

function malformedTrailer(): S3Error {
  return new S3Error('MalformedTrailerError');
}
