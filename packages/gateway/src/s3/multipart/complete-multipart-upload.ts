import { hasCode } from '@azimuth/common';
import type { StoredChecksum, UploadRecord, VersionDraft, WritePrecondition } from '@azimuth/proto';

import type { Headers, S3Request } from '../../http/request';
import { textElement, xmlDocument } from '../../http/xml/xml-writer';
import type { ObjectLocation } from '../bucket-access';
import { isVersioned, requireWritableObject } from '../bucket-access';
import {
  checksumElements,
  checksumHeader,
  checksumMismatch,
  CHECKSUM_ALGORITHMS,
  parseChecksumType,
} from '../checksum-headers';
import { quoteEtag, refuseUnimplementedHeaders } from '../object-headers';
import { commitConditionally, refuseEarlyAt } from '../object/conditional-commit';
import type { Operation, OperationContext } from '../operation';
import { parseWritePrecondition } from '../precondition';
import { readDocument } from '../request-document';
import { invalidArgument, invalidRequest, S3Error } from '../s3-error';
import { refuseVersionId } from '../version-id';
import type { CompletedPart } from './completion-checksum';
import { missingChecksum, multipartChecksum, multipartEtag } from './completion-checksum';
import type { NamedPart } from './completion-document';
import { COMPLETION_BYTES_MAX, parseCompletion } from './completion-document';
import { noSuchUpload, uploadIdOf } from './upload-id';

/** Every part but the last. */
export const PART_SIZE_BYTES_MIN = 5 * 1024 ** 2;
const PARTS_PAGE_LENGTH = 1000;

/** @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html */
export const completeMultipartUpload: Operation = {
  name: 'CompleteMultipartUpload',
  body: 'document',
  documentBytesMax: COMPLETION_BYTES_MAX,

  async handle(request, context) {
    const { headers } = request;
    refuseVersionId(request.query);
    const precondition = parseWritePrecondition(headers);
    refuseUnimplementedHeaders(headers);
    const expected = parseExpectedWhole(headers);
    const location = await requireWritableObject(request, context);
    const document = await readDocument(request, {
      bytesMax: COMPLETION_BYTES_MAX,
      integrity: 'content-md5',
    });
    const named = parseCompletion(document);

    const stored = await storedParts(location, request, context);
    // A completion that is repeated meets what it made itself, which must not refuse it (M-6).
    if (stored !== null) await refuseEarlyAt(location, precondition, request, context);
    const draft =
      stored === null ? repeatedDraft(location) : await completedDraft(stored, named, expected);
    const result = await commit({ location, request, named, draft, precondition }, context);
    const { bucket, key } = location;
    const body = xmlDocument('CompleteMultipartUploadResult', [
      textElement('Location', `${request.origin}/${bucket.name}/${encodePath(key)}`),
      textElement('Bucket', bucket.name),
      textElement('Key', key),
      textElement('ETag', quoteEtag(result.etag)),
      ...checksumElements(result.checksum),
    ]);
    return {
      status: 200,
      headers: isVersioned(bucket) ? { 'x-amz-version-id': result.versionId } : {},
      body: { kind: 'xml', document: body },
    };
  },
};

function encodePath(key: string): string {
  return key.split('/').map(encodeURIComponent).join('/');
}

interface StoredUpload {
  readonly upload: UploadRecord;
  readonly parts: ReadonlyMap<number, CompletedPart>;
}

/** Null when there is no such upload: then it was completed before, aborted, or never made. */
async function storedParts(
  location: ObjectLocation,
  request: S3Request,
  context: OperationContext,
): Promise<StoredUpload | null> {
  const parts = new Map<number, CompletedPart>();
  const uploadId = uploadIdOf(request);
  let afterPartNumber = 0;
  for (;;) {
    const args = { ...location.address, uploadId, afterPartNumber, limit: PARTS_PAGE_LENGTH };
    const { signal } = request;
    const page = await context.metadata.queryIndex(location.group, 'ListParts', args, { signal });
    if (page === null) return null;
    for (const part of page.parts) {
      parts.set(part.partNumber, part);
      afterPartNumber = part.partNumber;
    }
    if (!page.isTruncated) return { upload: page.upload, parts };
  }
}

/** What the client says about the whole: all of it optional. */
interface ExpectedWhole {
  readonly type: StoredChecksum['type'] | null;
  readonly checksum: Pick<StoredChecksum, 'algorithm' | 'value'> | null;
  readonly sizeBytes: number | null;
}

function parseExpectedWhole(headers: Headers): ExpectedWhole {
  const given = CHECKSUM_ALGORITHMS.flatMap((algorithm) => {
    const value = headers.get(checksumHeader(algorithm));
    return value === undefined ? [] : [{ algorithm, value }];
  });
  if (given.length > 1) {
    throw invalidRequest(
      'Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.',
    );
  }
  const name = 'x-amz-mp-object-size';
  const size = headers.get(name);
  if (size !== undefined && !/^[0-9]{1,15}$/.test(size)) {
    throw invalidArgument(`Invalid value for ${name}`, name, size);
  }
  return {
    type: parseChecksumType(headers),
    checksum: given[0] ?? null,
    sizeBytes: size === undefined ? null : Number(size),
  };
}

/** The version that the named parts make, checked against everything the client said. */
async function completedDraft(
  { upload, parts }: StoredUpload,
  named: readonly NamedPart[],
  expected: ExpectedWhole,
): Promise<VersionDraft> {
  if (expected.type !== null && expected.type !== upload.checksumType) {
    throw invalidRequest(
      `The upload was created using the ${upload.checksumType ?? 'null'} checksum mode. The ` +
        'complete request must use the same checksum mode.',
    );
  }
  const chosen = named.map((part) => requireStoredPart(part, upload, parts));
  requireMinimumSizes(chosen);
  const sizeBytes = chosen.reduce((sum, part) => sum + part.sizeBytes, 0);
  if (expected.sizeBytes !== null && expected.sizeBytes !== sizeBytes) {
    throw invalidRequest(
      `The provided 'x-amz-mp-object-size' header value ${expected.sizeBytes} does not match ` +
        `what was computed: ${sizeBytes}`,
    );
  }

  const checksum = await multipartChecksum(upload, chosen);
  requireExpectedChecksum(expected, checksum, named.length);
  return {
    key: upload.key,
    sizeBytes,
    etag: multipartEtag(chosen),
    storageClass: upload.storageClass,
    owner: upload.owner,
    headers: upload.headers,
    userMetadata: upload.userMetadata,
    checksum,
    tags: upload.tags,
    acl: upload.acl,
  };
}

/**
 * @throws S3Error InvalidPart (M-3), InvalidRequest for a checksum that is missing, BadDigest for
 *   one of another algorithm than the upload's (KC-6).
 */
function requireStoredPart(
  named: NamedPart,
  upload: UploadRecord,
  parts: ReadonlyMap<number, CompletedPart>,
): CompletedPart {
  requireNamedChecksum(named, upload);
  const stored = parts.get(named.partNumber);
  const { checksum } = named;
  const isChecksumWrong =
    checksum?.algorithm === stored?.checksum?.algorithm &&
    checksum?.value !== stored?.checksum?.value;
  if (stored === undefined || stored.etag !== named.etag || isChecksumWrong) {
    throw new S3Error('InvalidPart', {
      UploadId: upload.uploadId,
      PartNumber: named.partNumber,
      ETag: named.etag,
    });
  }
  return stored;
}

function requireNamedChecksum({ partNumber, checksum }: NamedPart, upload: UploadRecord): void {
  const { checksumAlgorithm, checksumType } = upload;
  if (checksumAlgorithm === null) return;
  if (checksum === null) {
    if (checksumType === 'COMPOSITE') throw missingChecksum(upload, partNumber);
  } else if (checksum.algorithm !== checksumAlgorithm) {
    const name = checksum.algorithm.toLowerCase();
    const message = `The ${name} you specified for part ${partNumber} did not match what we received.`;
    throw new S3Error('BadDigest', {}, { message });
  }
}

/** M-2: only here is it known which part is the last. */
function requireMinimumSizes(parts: readonly CompletedPart[]): void {
  for (const part of parts.slice(0, -1)) {
    if (part.sizeBytes >= PART_SIZE_BYTES_MIN) continue;
    throw new S3Error('EntityTooSmall', {
      ProposedSize: part.sizeBytes,
      MinSizeAllowed: PART_SIZE_BYTES_MIN,
      PartNumber: part.partNumber,
      ETag: part.etag,
    });
  }
}

function requireExpectedChecksum(
  expected: ExpectedWhole,
  actual: StoredChecksum | null,
  partsCount: number,
): void {
  if (expected.checksum === null) return;
  const { algorithm, value } = expected.checksum;
  if (actual === null || actual.algorithm !== algorithm) throw checksumMismatch(algorithm);
  // SDKs send a COMPOSITE value with or without the number of parts.
  const isEqual = value === actual.value || `${value}-${partsCount}` === actual.value;
  if (!isEqual) throw checksumMismatch(algorithm);
}

/**
 * For an upload that is no more. If it was completed, apply remembers the outcome and answers as
 * the first time, and uses nothing of this (M-6); if not, it refuses.
 */
function repeatedDraft({ key, bucket }: ObjectLocation): VersionDraft {
  return {
    key,
    sizeBytes: 0,
    etag: '',
    storageClass: 'STANDARD',
    owner: bucket.owner,
    headers: {},
    userMetadata: {},
    checksum: null,
    tags: {},
    acl: null,
  };
}

interface Completion {
  readonly location: ObjectLocation;
  readonly request: S3Request;
  readonly named: readonly NamedPart[];
  readonly draft: VersionDraft;
  readonly precondition: WritePrecondition | null;
}

async function commit(
  { location, request, named, draft, precondition }: Completion,
  context: OperationContext,
): Promise<{ versionId: string; etag: string; checksum: StoredChecksum | null }> {
  const uploadId = uploadIdOf(request);
  try {
    return await commitConditionally(precondition, () =>
      context.metadata.index(
        location.group,
        'CompleteUpload',
        {
          ...location.address,
          uploadId,
          versioning: location.bucket.versioning,
          draft,
          parts: named.map(({ partNumber, etag }) => ({ partNumber, etag })),
          precondition,
        },
        { signal: request.signal },
      ),
    );
  } catch (error) {
    if (hasCode(error, 'UPLOAD_NOT_FOUND')) throw noSuchUpload(uploadId);
    if (hasCode(error, 'PART_NOT_FOUND')) {
      const PartNumber = Number(error.detail['partNumber'] ?? 0);
      throw new S3Error('InvalidPart', { UploadId: uploadId, PartNumber }, { cause: error });
    }
    throw error;
  }
}
