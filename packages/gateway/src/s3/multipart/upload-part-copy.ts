import { required } from '@azimuth/common';

import { textElement, optionalElement, xmlDocument } from '../../http/xml/xml-writer';
import { isVersioned, requireWritableObject, writeTarget } from '../bucket-access';
import { checksumElement, digestsToCompute, fullObjectChecksum } from '../checksum-headers';
import { parseCopySource, parseCopySourceRange } from '../copy-source';
import { isoDate } from '../http-date';
import { quoteEtag, refuseUnimplementedHeaders } from '../object-headers';
import { readFromSource, requireCopySource } from '../object/copied-version';
import type { Operation } from '../operation';
import { parsePartNumber } from '../part-number';
import { refuseConditions } from '../precondition';
import { refuseVersionId } from '../version-id';
import { commitPart } from './part-commit';
import { requireUpload } from './upload-id';

/** @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPartCopy.html */
export const uploadPartCopy: Operation = {
  name: 'UploadPartCopy',
  body: 'none',

  async handle(request, context) {
    const { headers, query, signal } = request;
    refuseVersionId(query);
    const partNumber = required(parsePartNumber(query), 'partNumber');
    const source = parseCopySource(headers);
    refuseUnimplementedHeaders(headers);
    refuseConditions(headers);
    const target = await requireWritableObject(request, context);
    const upload = await requireUpload(target, request, context);
    const { version, location } = await requireCopySource(source, request, context);
    const range = parseCopySourceRange(headers, version.head.sizeBytes);

    const sizeBytes = range.to - range.from;
    const algorithm = upload.checksumAlgorithm;
    const written = await context.dataPath.write(readFromSource(version, range, signal, context), {
      sizeBytes,
      ...writeTarget(target, upload),
      digests: digestsToCompute(algorithm),
      signal,
    });
    const checksum = fullObjectChecksum(algorithm, written.digests);
    const part = { uploadId: upload.uploadId, partNumber, sizeBytes, checksum, signal };
    const { etag, lastModifiedMs } = await commitPart(target, part, written, context);
    const document = xmlDocument('CopyPartResult', [
      textElement('LastModified', isoDate(lastModifiedMs)),
      textElement('ETag', quoteEtag(etag)),
      checksum === null
        ? null
        : optionalElement(checksumElement(checksum.algorithm), checksum.value),
    ]);
    return {
      status: 200,
      headers: isVersioned(location.bucket)
        ? { 'x-amz-copy-source-version-id': version.head.versionId }
        : {},
      body: { kind: 'xml', document },
    };
  },
};
