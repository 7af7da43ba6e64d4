import { required } from '@azimuth/common';
import type { ChecksumAlgorithm, UploadRecord } from '@azimuth/proto';

import { requireWritableObject, writeTarget } from '../bucket-access';
import type { ExpectedDigests } from '../checksum-headers';
import {
  checksumHeader,
  digestsToCompute,
  fullObjectChecksum,
  parseExpectedDigests,
  verifyDigests,
} from '../checksum-headers';
import { quoteEtag, refuseUnimplementedHeaders } from '../object-headers';
import { requireUploadSize } from '../object/write-size';
import type { Operation } from '../operation';
import { parsePartNumber } from '../part-number';
import { refuseConditions } from '../precondition';
import { invalidRequest } from '../s3-error';
import { writeVerified } from '../verified-write';
import { refuseVersionId } from '../version-id';
import { commitPart } from './part-commit';
import { requireUpload } from './upload-id';

/** @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPart.html */
export const uploadPart: Operation = {
  name: 'UploadPart',
  body: 'stream',

  async handle(request, context) {
    const { body, headers, query, signal } = request;
    refuseVersionId(query);
    const partNumber = required(parsePartNumber(query), 'partNumber');
    const sizeBytes = requireUploadSize(request);
    refuseUnimplementedHeaders(headers);
    refuseConditions(headers);
    const expected = parseExpectedDigests(request);
    const location = await requireWritableObject(request, context);
    const upload = await requireUpload(location, request, context);
    const algorithm = partAlgorithm(upload, expected);

    const written = await writeVerified(
      body.source,
      {
        ...writeTarget(location, upload),
        sizeBytes,
        digests: digestsToCompute(algorithm),
        signal,
      },
      (computed) => verifyDigests(expected, computed, body.trailers()),
      context,
    );
    const checksum = fullObjectChecksum(algorithm, written.digests);
    const part = { uploadId: upload.uploadId, partNumber, sizeBytes, checksum, signal };
    const { etag } = await commitPart(location, part, written, context);
    return {
      status: 200,
      headers: {
        etag: quoteEtag(etag),
        // Whether the whole will be COMPOSITE is the upload's matter, so a part has no type.
        ...(checksum === null ? {} : { [checksumHeader(checksum.algorithm)]: checksum.value }),
        'content-length': '0',
      },
    };
  },
};

/**
 * The algorithm of a part's checksum (KC-6). An upload made without one takes parts with any, since
 * SDKs add a checksum to parts by default. A FULL_OBJECT upload needs the CRC of every part, so it
 * is computed when the client sent none.
 */
function partAlgorithm(upload: UploadRecord, expected: ExpectedDigests): ChecksumAlgorithm | null {
  const sent = expected.checksum?.algorithm ?? null;
  const wanted = upload.checksumAlgorithm;
  if (wanted === null || sent === wanted) return sent;
  if (sent === null && upload.checksumType === 'FULL_OBJECT') return wanted;
  throw invalidRequest(
    `Checksum Type mismatch occurred, expected checksum Type: ${wanted.toLowerCase()}, actual ` +
      `checksum Type: ${sent?.toLowerCase() ?? 'null'}`,
  );
}
