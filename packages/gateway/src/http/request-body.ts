import { createHash } from 'node:crypto';

import type { AuthenticatedRequest } from '../auth/authenticate';
import { EMPTY_SHA256 } from '../auth/sigv4';
import type { ByteSink, ByteSource } from '../data-path/byte-source';
import { CHECKSUM_ALGORITHMS, checksumHeader } from '../s3/checksum-headers';
import { invalidRequest, S3Error } from '../s3/s3-error';
import { AwsChunkedSource } from './aws-chunked';
import type { Headers, RequestBody } from './request';

const TRAILER_NAMES: ReadonlySet<string> = new Set(CHECKSUM_ALGORITHMS.map(checksumHeader));

const NO_TRAILERS: Headers = new Map();
const NO_NAMES: readonly string[] = [];

const EMPTY_SOURCE: ByteSource = { readInto: () => Promise.resolve() };
const EMPTY_BODY: RequestBody = {
  sizeBytes: 0,
  source: EMPTY_SOURCE,
  trailers: () => NO_TRAILERS,
  announcedTrailers: NO_NAMES,
};
const ABSENT_BODY: RequestBody = { ...EMPTY_BODY, sizeBytes: null };

/**
 * Puts the verification that the signature asks for around the raw bytes: no handler can read a
 * body without it.
 *
 * @throws S3Error MissingContentLength, InvalidRequest (trailers), XAmzContentSHA256Mismatch (for a
 *   body of length 0; one without a length rejects when it is read).
 */
export function openRequestBody(
  headers: Headers,
  { payload, chunkSignatures }: AuthenticatedRequest,
  raw: ByteSource,
): RequestBody {
  const contentLength = headers.get('content-length');
  const announcedTrailers = parseTrailerNames(headers);
  if (payload.kind === 'chunked') {
    requireTrailersAllowed(announcedTrailers, payload.hasTrailer, headers);
    const sizeBytes = parseLength(headers.get('x-amz-decoded-content-length'));
    const source = new AwsChunkedSource(raw, {
      sizeBytes,
      signatures: chunkSignatures,
      hasTrailer: payload.hasTrailer,
      announcedTrailers,
    });
    return { sizeBytes, source, trailers: () => source.trailers, announcedTrailers };
  }
  requireTrailersAllowed(announcedTrailers, false, headers);
  const isStreamed = headers.has('transfer-encoding');
  if (!isStreamed && (contentLength === undefined || contentLength === '0')) {
    if (payload.kind === 'hashed' && payload.sha256Hex !== EMPTY_SHA256) {
      const mismatch = hashMismatch(payload.sha256Hex, EMPTY_SHA256);
      // Whoever needs a body says first that its length is missing.
      if (contentLength === undefined) return { ...ABSENT_BODY, source: refusedSource(mismatch) };
      throw mismatch;
    }
    return contentLength === undefined ? ABSENT_BODY : EMPTY_BODY;
  }
  return {
    sizeBytes: isStreamed ? null : parseLength(contentLength),
    source: payload.kind === 'hashed' ? hashedSource(raw, payload.sha256Hex) : raw,
    trailers: () => NO_TRAILERS,
    announcedTrailers: NO_NAMES,
  };
}

/** Fails once more than `bytesMax` bytes have come. */
export function limitedSource(inner: ByteSource, bytesMax: number): ByteSource {
  return {
    readInto(sink: ByteSink): Promise<void> {
      let receivedBytes = 0;
      return inner.readInto((chunk) => {
        receivedBytes += chunk.length;
        if (receivedBytes > bytesMax) throw new S3Error('MaxMessageLengthExceeded');
        return sink(chunk);
      });
    },
  };
}

function refusedSource(error: S3Error): ByteSource {
  return { readInto: () => Promise.reject(error) };
}

/** Hashes what passes, and fails at the end unless it is what the client signed. */
function hashedSource(inner: ByteSource, expectedHex: string): ByteSource {
  return {
    async readInto(sink: ByteSink): Promise<void> {
      const hash = createHash('sha256');
      await inner.readInto((chunk) => {
        hash.update(chunk);
        return sink(chunk);
      });
      const actualHex = hash.digest('hex');
      if (actualHex !== expectedHex) throw hashMismatch(expectedHex, actualHex);
    },
  };
}

function hashMismatch(expectedHex: string, actualHex: string): S3Error {
  return new S3Error('XAmzContentSHA256Mismatch', {
    ClientComputedContentSHA256: expectedHex,
    S3ComputedContentSHA256: actualHex,
  });
}

function parseLength(text: string | undefined): number {
  if (text === undefined) throw new S3Error('MissingContentLength');
  // Fifteen digits stay exact; every limit of S3 is far below.
  if (!/^\d{1,15}$/.test(text)) {
    throw new S3Error('InvalidArgument', { ArgumentName: 'Content-Length', ArgumentValue: text });
  }
  return Number(text);
}

function parseTrailerNames(headers: Headers): readonly string[] {
  const announced = headers.get('x-amz-trailer');
  if (announced === undefined) return NO_NAMES;
  return announced
    .toLowerCase()
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
}

function requireTrailersAllowed(
  names: readonly string[],
  hasTrailer: boolean,
  headers: Headers,
): void {
  if (names.length === 0) return;
  if (!hasTrailer) {
    throw invalidRequest('x-amz-trailer needs an x-amz-content-sha256 that allows trailers.');
  }
  if (names.some((name) => !TRAILER_NAMES.has(name))) {
    throw invalidRequest('The value specified in the x-amz-trailer header is not supported');
  }
  const hasChecksumHeader = [...TRAILER_NAMES].some((name) => headers.has(name));
  if (names.length > 1 || hasChecksumHeader) {
    throw invalidRequest(
      'Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.',
    );
  }
}
