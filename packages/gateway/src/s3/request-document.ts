import type { DigestAlgorithm } from '../data-path/data-path';
import { digestBytes } from './digest-bytes';
import type { S3Request } from '../http/request';
import type { ExpectedDigests } from './checksum-headers';
import { digestsToCompute, parseExpectedDigests, verifyDigests } from './checksum-headers';
import { invalidRequest, S3Error } from './s3-error';

export interface DocumentOptions {
  readonly bytesMax: number;
  /**
   * `required`: Content-MD5 or a checksum must be there (V-18) · `checked`: verified when there ·
   * `content-md5`: only that; `x-amz-checksum-*` speaks of something else
   * (CompleteMultipartUpload).
   */
  readonly integrity: 'required' | 'checked' | 'content-md5';
  /** A request without any means something, too. */
  readonly isOptional?: true;
}

/**
 * Reads a request document whole.
 *
 * @throws S3Error MissingContentLength where a document has to be, MaxMessageLengthExceeded,
 *   BadDigest, and what parsing the headers throws.
 */
export async function readDocument(request: S3Request, options: DocumentOptions): Promise<Buffer> {
  const { bytesMax } = options;
  if (options.isOptional !== true) requireLength(request);
  const expected = expectedDigests(request, options.integrity);
  if ((request.body.sizeBytes ?? 0) > bytesMax) throw tooLong(bytesMax);

  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  await request.body.source.readInto((chunk) => {
    sizeBytes += chunk.byteLength;
    if (sizeBytes > bytesMax) throw tooLong(bytesMax);
    // The source may use the chunk again, so this is a copy.
    chunks.push(Buffer.from(chunk));
    return undefined;
  });

  const document = Buffer.concat(chunks);
  const computed = new Map<DigestAlgorithm, Buffer>();
  for (const algorithm of digestsToCompute(expected.checksum?.algorithm)) {
    computed.set(algorithm, await digestBytes(algorithm, document));
  }
  verifyDigests(expected, computed, request.body.trailers());
  return document;
}

/**
 * Without a length and a coding there is no body, and whoever sends none says 0.
 *
 * @throws S3Error MissingContentLength
 */
export function requireLength({ body, headers }: Pick<S3Request, 'body' | 'headers'>): void {
  if (body.sizeBytes !== null || headers.has('transfer-encoding')) return;
  throw new S3Error('MissingContentLength');
}

function expectedDigests(
  request: S3Request,
  integrity: DocumentOptions['integrity'],
): ExpectedDigests {
  if (integrity === 'content-md5') {
    const headers = new Map(
      [...request.headers].filter(([name]) => !name.startsWith('x-amz-checksum-')),
    );
    return parseExpectedDigests({ ...request, headers });
  }
  const expected = parseExpectedDigests(request);
  if (integrity === 'required' && expected.contentMd5 === null && expected.checksum === null) {
    throw invalidRequest(
      'Missing required header for this request: Content-MD5 OR x-amz-checksum-*',
    );
  }
  return expected;
}

function tooLong(bytesMax: number): S3Error {
  return new S3Error('MaxMessageLengthExceeded', { MaxMessageLengthBytes: bytesMax });
}
