import { required } from '@azimuth/common';
import type { ChecksumAlgorithm, ChecksumType, StoredChecksum } from '@azimuth/proto';

import type { DigestAlgorithm } from '../data-path/data-path';
import type { XmlFragment } from '../http/xml/xml-writer';
import { optionalElement } from '../http/xml/xml-writer';
import type { Headers, S3Request } from '../http/request';
import { invalidArgument, invalidRequest, S3Error } from './s3-error';

interface ChecksumFacts {
  readonly sizeBytes: number;
  /** Types that a multipart upload may ask for; the first is the default (KC-1). */
  readonly types: readonly ChecksumType[];
}

const CHECKSUMS: Readonly<Record<ChecksumAlgorithm, ChecksumFacts>> = {
  CRC32: { sizeBytes: 4, types: ['COMPOSITE', 'FULL_OBJECT'] },
  CRC32C: { sizeBytes: 4, types: ['COMPOSITE', 'FULL_OBJECT'] },
  CRC64NVME: { sizeBytes: 8, types: ['FULL_OBJECT'] },
  SHA1: { sizeBytes: 20, types: ['COMPOSITE'] },
  SHA256: { sizeBytes: 32, types: ['COMPOSITE'] },
  SHA512: { sizeBytes: 64, types: ['COMPOSITE'] },
  MD5: { sizeBytes: 16, types: ['COMPOSITE'] },
  XXHASH64: { sizeBytes: 8, types: ['COMPOSITE'] },
  XXHASH3: { sizeBytes: 8, types: ['COMPOSITE'] },
  XXHASH128: { sizeBytes: 16, types: ['COMPOSITE'] },
};

export const CHECKSUM_ALGORITHMS = Object.keys(CHECKSUMS) as readonly ChecksumAlgorithm[];

const HEADER_PREFIX = 'x-amz-checksum-';
/** Headers that begin like a checksum and are none. */
const NOT_A_VALUE: ReadonlySet<string> = new Set([
  'x-amz-checksum-algorithm',
  'x-amz-checksum-mode',
  'x-amz-checksum-type',
]);

export function checksumHeader(algorithm: ChecksumAlgorithm): string {
  return HEADER_PREFIX + algorithm.toLowerCase();
}

/** `ChecksumCRC32`: the element of documents. */
export function checksumElement(algorithm: ChecksumAlgorithm): string {
  return `Checksum${algorithm}`;
}

/** The element with the value, and ChecksumType beside it. */
export function checksumElements(checksum: StoredChecksum | null): (XmlFragment | null)[] {
  if (checksum === null) return [];
  return [
    optionalElement(checksumElement(checksum.algorithm), checksum.value),
    optionalElement('ChecksumType', checksum.type),
  ];
}

export function checksumResponseHeaders(checksum: StoredChecksum | null): Record<string, string> {
  if (checksum === null) return {};
  return {
    [checksumHeader(checksum.algorithm)]: checksum.value,
    'x-amz-checksum-type': checksum.type,
  };
}

/** What the client says about the bytes it sends. */
export interface ExpectedDigests {
  readonly contentMd5: Buffer | null;
  readonly checksum: {
    readonly algorithm: ChecksumAlgorithm;
    /** Null when it comes behind the body, as a trailer. */
    readonly value: Buffer | null;
  } | null;
}

/**
 * Reads Content-MD5, the checksum header or the announced trailer.
 *
 * @throws S3Error InvalidDigest, InvalidRequest (KC-5, G-6), NotImplemented for algorithms that S3
 * may learn one day.
 */
export function parseExpectedDigests(request: S3Request): ExpectedDigests {
  const { headers } = request;
  const header = checksumValueHeader(headers);
  const trailer = announcedChecksum(request.body.announcedTrailers);
  if (header !== null && trailer !== null) throw severalChecksums();
  const announced = sdkAlgorithm(headers);
  const algorithm = header?.algorithm ?? trailer;
  if (announced !== null) {
    if (algorithm === null) throw noCorrespondingChecksum();
    if (announced !== algorithm) {
      throw invalidRequest('Value for x-amz-sdk-checksum-algorithm header is invalid.');
    }
  }
  return {
    contentMd5: parseContentMd5(headers.get('content-md5')),
    checksum: algorithm === null ? null : { algorithm, value: header?.value ?? null },
  };
}

/** The one `x-amz-checksum-<algorithm>` header, decoded. Query parameters do not count (G-14). */
export function checksumValueHeader(
  headers: Headers,
): { readonly algorithm: ChecksumAlgorithm; readonly value: Buffer } | null {
  let found: { algorithm: ChecksumAlgorithm; value: Buffer } | null = null;
  for (const [name, text] of headers) {
    if (!name.startsWith(HEADER_PREFIX) || NOT_A_VALUE.has(name)) continue;
    const algorithm = algorithmOfHeader(name);
    if (algorithm === null) throw new S3Error('NotImplemented', { Header: name });
    if (found !== null) throw severalChecksums();
    found = { algorithm, value: decodeChecksum(algorithm, text, `${name} header`) };
  }
  return found;
}

function announcedChecksum(trailers: readonly string[]): ChecksumAlgorithm | null {
  let found: ChecksumAlgorithm | null = null;
  for (const name of trailers) {
    const algorithm = algorithmOfHeader(name.toLowerCase());
    if (algorithm === null) {
      throw invalidRequest('The value specified in the x-amz-trailer header is not supported');
    }
    if (found !== null) throw severalChecksums();
    found = algorithm;
  }
  return found;
}

function algorithmOfHeader(name: string): ChecksumAlgorithm | null {
  return CHECKSUM_ALGORITHMS.find((algorithm) => checksumHeader(algorithm) === name) ?? null;
}

function sdkAlgorithm(headers: Headers): ChecksumAlgorithm | null {
  const text = headers.get('x-amz-sdk-checksum-algorithm');
  if (text === undefined) return null;
  const found = CHECKSUM_ALGORITHMS.find((algorithm) => algorithm === text.toUpperCase());
  if (found === undefined) {
    throw invalidRequest('Value for x-amz-sdk-checksum-algorithm header is invalid.');
  }
  return found;
}

function parseContentMd5(text: string | undefined): Buffer | null {
  if (text === undefined) return null;
  const digest = decodeBase64(text, 16);
  if (digest === null) throw new S3Error('InvalidDigest', { 'Content-MD5': text });
  return digest;
}

function decodeChecksum(algorithm: ChecksumAlgorithm, text: string, where: string): Buffer {
  const digest = decodeBase64(text, CHECKSUMS[algorithm].sizeBytes);
  if (digest === null) throw invalidRequest(`Value for ${where} is invalid.`);
  return digest;
}

/** True for what a checksum of that algorithm is as text. */
export function isChecksumText(algorithm: ChecksumAlgorithm, text: string): boolean {
  return decodeBase64(text, CHECKSUMS[algorithm].sizeBytes) !== null;
}

/** Strict: exactly the text that encoding the bytes would give. */
function decodeBase64(text: string, sizeBytes: number): Buffer | null {
  const bytes = Buffer.from(text, 'base64');
  return bytes.byteLength === sizeBytes && bytes.toString('base64') === text ? bytes : null;
}

/** Digests to compute over a body: always MD5, for the ETag. */
export function digestsToCompute(
  ...algorithms: readonly (ChecksumAlgorithm | null | undefined)[]
): readonly DigestAlgorithm[] {
  const wanted = new Set<DigestAlgorithm>(['MD5']);
  for (const algorithm of algorithms) if (algorithm != null) wanted.add(algorithm);
  return [...wanted];
}

/**
 * Compares what was received with what the client said; after the body was read.
 *
 * @throws S3Error BadDigest (KC-4), MalformedTrailerError when an announced checksum did not come.
 */
export function verifyDigests(
  expected: ExpectedDigests,
  computed: ReadonlyMap<DigestAlgorithm, Buffer>,
  trailers: Headers,
): void {
  const { contentMd5, checksum } = expected;
  if (contentMd5 !== null) {
    const actual = required(computed.get('MD5'), 'MD5 digest');
    if (!contentMd5.equals(actual)) {
      throw new S3Error('BadDigest', {
        ExpectedDigest: contentMd5.toString('base64'),
        CalculatedDigest: actual.toString('base64'),
      });
    }
  }
  if (checksum === null) return;
  const value = checksum.value ?? trailingChecksum(checksum.algorithm, trailers);
  const actual = required(computed.get(checksum.algorithm), 'checksum');
  if (!value.equals(actual)) throw checksumMismatch(checksum.algorithm);
}

function trailingChecksum(algorithm: ChecksumAlgorithm, trailers: Headers): Buffer {
  const name = checksumHeader(algorithm);
  const text = trailers.get(name);
  if (text === undefined) throw new S3Error('MalformedTrailerError');
  return decodeChecksum(algorithm, text.trim(), `${name} trailing header`);
}

export function checksumMismatch(algorithm: ChecksumAlgorithm): S3Error {
  return new S3Error(
    'BadDigest',
    {},
    { message: `The ${algorithm} you specified did not match the calculated checksum.` },
  );
}

/** The checksum to store with a body that was written in one piece. */
export function fullObjectChecksum(
  algorithm: ChecksumAlgorithm | null | undefined,
  computed: ReadonlyMap<DigestAlgorithm, Buffer>,
): StoredChecksum | null {
  if (algorithm == null) return null;
  const digest = required(computed.get(algorithm), 'checksum');
  return { algorithm, type: 'FULL_OBJECT', value: digest.toString('base64') };
}

/** `x-amz-checksum-algorithm` of CopyObject and CreateMultipartUpload; null when absent. */
export function parseChecksumAlgorithm(headers: Headers): ChecksumAlgorithm | null {
  const text = headers.get('x-amz-checksum-algorithm');
  if (text === undefined) return null;
  const found = CHECKSUM_ALGORITHMS.find((algorithm) => algorithm === text.toUpperCase());
  if (found === undefined) {
    throw invalidRequest(
      'Checksum algorithm provided is unsupported. Please try again with any of the valid types: ' +
        `[${CHECKSUM_ALGORITHMS.join(', ')}]`,
    );
  }
  return found;
}

/** The checksum mode of a new multipart upload (KC-1, KC-6). */
export function parseUploadChecksum(headers: Headers): {
  readonly algorithm: ChecksumAlgorithm | null;
  readonly type: ChecksumType | null;
} {
  const algorithm = parseChecksumAlgorithm(headers);
  const type = parseChecksumType(headers);
  if (algorithm === null) {
    if (type === null) return { algorithm: null, type: null };
    throw invalidRequest(
      'The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.',
    );
  }
  const { types } = CHECKSUMS[algorithm];
  if (type === null) return { algorithm, type: required(types[0], 'checksum type') };
  if (!types.includes(type)) {
    throw invalidRequest(
      `The ${type} checksum type cannot be used with the ${algorithm.toLowerCase()} checksum ` +
        'algorithm.',
    );
  }
  return { algorithm, type };
}

export function parseChecksumType(headers: Headers): ChecksumType | null {
  const text = headers.get('x-amz-checksum-type');
  if (text === undefined) return null;
  const type = text.toUpperCase();
  if (type === 'FULL_OBJECT' || type === 'COMPOSITE') return type;
  throw invalidRequest('Value for x-amz-checksum-type header is invalid.');
}

/** `x-amz-checksum-mode: ENABLED` (KC-7). */
export function isChecksumWanted(headers: Headers): boolean {
  const mode = headers.get('x-amz-checksum-mode');
  if (mode === undefined) return false;
  if (mode.toUpperCase() === 'ENABLED') return true;
  throw invalidArgument('Invalid value for x-amz-checksum-mode', 'x-amz-checksum-mode', mode);
}

function severalChecksums(): S3Error {
  return invalidRequest(
    'Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.',
  );
}

function noCorrespondingChecksum(): S3Error {
  return invalidRequest(
    'x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or ' +
      'x-amz-trailer headers were found.',
  );
}
