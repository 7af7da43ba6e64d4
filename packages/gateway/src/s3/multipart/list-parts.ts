import { optionalElement, element, textElement, xmlDocument } from '../../http/xml/xml-writer';
import { requireObject } from '../bucket-access';
import { checksumElement } from '../checksum-headers';
import { isoDate } from '../http-date';
import { parseCount, parseLimit } from '../listing';
import { quoteEtag } from '../object-headers';
import type { Operation } from '../operation';
import { accountElement } from '../owner-element';
import { PART_NUMBER_MAX } from '../part-number';
import { noSuchUpload, uploadIdOf } from './upload-id';
import { initiatorElement } from './upload-initiator';

/** @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListParts.html */
export const listParts: Operation = {
  name: 'ListParts',
  body: 'none',

  async handle(request, context) {
    const { query, signal } = request;
    const uploadId = uploadIdOf(request);
    const limit = parseLimit(query, 'max-parts');
    const afterPartNumber = parseCount(query, 'part-number-marker', 0);
    const location = await requireObject(request, context);

    // Also a page of nothing has to find out whether the upload exists.
    const args = {
      ...location.address,
      uploadId,
      // Behind the last part that there can be there is nothing, and no record key for it.
      afterPartNumber: Math.min(afterPartNumber, PART_NUMBER_MAX),
      limit: Math.max(limit, 1),
    };
    const page = await context.metadata.queryIndex(location.group, 'ListParts', args, { signal });
    if (page === null) throw noSuchUpload(uploadId);

    const { upload } = page;
    const parts = page.parts.slice(0, limit);
    const document = xmlDocument('ListPartsResult', [
      textElement('Bucket', location.bucket.name),
      textElement('Key', location.key),
      textElement('UploadId', uploadId),
      initiatorElement(upload, context.accounts),
      accountElement('Owner', upload.owner, context.accounts),
      textElement('StorageClass', upload.storageClass),
      textElement('PartNumberMarker', afterPartNumber),
      textElement('NextPartNumberMarker', parts.at(-1)?.partNumber ?? 0),
      textElement('MaxParts', limit),
      textElement('IsTruncated', limit > 0 && page.isTruncated),
      optionalElement('ChecksumAlgorithm', upload.checksumAlgorithm),
      optionalElement('ChecksumType', upload.checksumType),
      ...parts.map((part) =>
        element('Part', [
          textElement('PartNumber', part.partNumber),
          textElement('LastModified', isoDate(part.lastModifiedMs)),
          textElement('ETag', quoteEtag(part.etag)),
          textElement('Size', part.sizeBytes),
          part.checksum === null
            ? null
            : textElement(checksumElement(part.checksum.algorithm), part.checksum.value),
        ]),
      ),
    ]);
    return { status: 200, body: { kind: 'xml', document } };
  },
};
