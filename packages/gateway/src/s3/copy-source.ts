import { isBucketName } from '../http/bucket-name';
import { decodePercent } from '../http/percent-encoding';
import type { Headers } from '../http/request';
import { checkKeyLength } from './bucket-access';
import { invalidArgument, invalidRequest, S3Error } from './s3-error';
import type { ByteRange } from './range';
import { parseVersionId } from './version-id';

export interface CopySource {
  readonly bucket: string;
  readonly key: string;
  readonly versionId: string | null;
}

export const COPY_SOURCE_HEADER = 'x-amz-copy-source';
/** CopyObject and one UploadPartCopy move at most this much. */
export const COPY_SIZE_BYTES_MAX = 5 * 1024 ** 3;

const VERSION_SEPARATOR = '?versionId=';

/**
 * Reads `x-amz-copy-source`: `[/]bucket/key[?versionId=id]`, percent-encoded. The version is cut
 * off before decoding, so that a key may hold `?versionId=` as `%3FversionId=`.
 */
export function parseCopySource(headers: Headers): CopySource {
  const header = headers.get(COPY_SOURCE_HEADER) ?? '';
  if (header.startsWith('arn:')) {
    throw new S3Error('NotImplemented', { Header: COPY_SOURCE_HEADER });
  }
  const separatorAt = header.indexOf(VERSION_SEPARATOR);
  const path = separatorAt === -1 ? header : header.slice(0, separatorAt);
  const versionId =
    separatorAt === -1
      ? null
      : parseVersionId(header.slice(separatorAt + VERSION_SEPARATOR.length));

  const decoded = decodePath(path, header);
  const slashAt = decoded.indexOf('/');
  const bucket = decoded.slice(0, Math.max(slashAt, 0));
  const key = decoded.slice(slashAt + 1);
  if (bucket === '' || key === '') {
    throw invalidArgument(
      'Copy Source must mention the source bucket and key: sourcebucket/sourcekey',
      COPY_SOURCE_HEADER,
      header,
    );
  }
  if (!isBucketName(bucket)) {
    throw invalidArgument('Invalid copy source bucket name', COPY_SOURCE_HEADER, header);
  }
  checkKeyLength(key);
  return { bucket, key, versionId };
}

function decodePath(path: string, header: string): string {
  let decoded: string;
  try {
    decoded = decodePercent(path);
  } catch (error) {
    if (!(error instanceof S3Error)) throw error;
    throw invalidArgument('Invalid copy source encoding', COPY_SOURCE_HEADER, header);
  }
  return decoded.startsWith('/') ? decoded.slice(1) : decoded;
}

/**
 * Reads `x-amz-copy-source-range` of UploadPartCopy against the source (M-10); the whole source
 * when absent.
 */
export function parseCopySourceRange(headers: Headers, sourceSizeBytes: number): ByteRange {
  const name = 'x-amz-copy-source-range';
  const header = headers.get(name);
  if (header === undefined) {
    if (sourceSizeBytes > COPY_SIZE_BYTES_MAX) throw copySourceTooLarge();
    return { from: 0, to: sourceSizeBytes };
  }
  const match = /^bytes=([0-9]+)-([0-9]+)$/.exec(header);
  const first = Number(match?.[1]);
  const last = Number(match?.[2]);
  if (match === null || last < first) {
    throw invalidArgument(
      'The x-amz-copy-source-range value must be of the form bytes=first-last where first and ' +
        'last are the zero-based offsets of the first and last bytes to copy',
      name,
      header,
    );
  }
  if (last >= sourceSizeBytes) {
    throw invalidArgument(
      `Range specified is not valid for source object of size: ${sourceSizeBytes}`,
      name,
      header,
    );
  }
  if (last - first + 1 > COPY_SIZE_BYTES_MAX) throw copySourceTooLarge();
  return { from: first, to: last + 1 };
}

export function copySourceTooLarge(): S3Error {
  return invalidRequest(
    'The specified copy source is larger than the maximum allowable size for a copy source: ' +
      String(COPY_SIZE_BYTES_MAX),
  );
}
