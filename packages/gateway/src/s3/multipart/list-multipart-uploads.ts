import { element, optionalElement, textElement, xmlDocument } from '../../http/xml/xml-writer';
import { requireBucket } from '../bucket-access';
import { isoDate } from '../http-date';
import { parseListingParameters } from '../listing';
import { prefixElements } from '../object/listing-elements';
import type { Operation } from '../operation';
import { accountElement } from '../owner-element';
import { initiatorElement } from './upload-initiator';
import { uploadPage } from './upload-page';

/** @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListMultipartUploads.html */
export const listMultipartUploads: Operation = {
  name: 'ListMultipartUploads',
  body: 'none',

  async handle(request, context) {
    const { query } = request;
    const { prefix, delimiter, limit, encodingType, encode } = parseListingParameters(
      query,
      'max-uploads',
    );
    const keyMarker = query.get('key-marker') ?? '';
    // Without key-marker the upload-id-marker is ignored, as the API page says.
    const uploadIdMarker = keyMarker === '' ? '' : (query.get('upload-id-marker') ?? '');
    const bucket = await requireBucket(request, context);

    const uploadId = uploadIdMarker === '' ? null : uploadIdMarker;
    const after = keyMarker === '' ? null : { key: keyMarker, uploadId };
    const page = await uploadPage(bucket, { prefix, delimiter, after, limit }, request, context);
    const document = xmlDocument('ListMultipartUploadsResult', [
      textElement('Bucket', bucket.name),
      textElement('KeyMarker', encode(keyMarker)),
      textElement('UploadIdMarker', uploadIdMarker),
      page.next === null ? null : textElement('NextKeyMarker', encode(page.next.key)),
      optionalElement('NextUploadIdMarker', page.next?.uploadId ?? null),
      textElement('Prefix', encode(prefix)),
      delimiter === '' ? null : textElement('Delimiter', encode(delimiter)),
      optionalElement('EncodingType', encodingType),
      textElement('MaxUploads', limit),
      textElement('IsTruncated', page.next !== null),
      ...page.uploads.map((upload) =>
        element('Upload', [
          textElement('Key', encode(upload.key)),
          textElement('UploadId', upload.uploadId),
          initiatorElement(upload, context.accounts),
          accountElement('Owner', upload.owner, context.accounts),
          textElement('StorageClass', upload.storageClass),
          textElement('Initiated', isoDate(upload.initiatedMs)),
          optionalElement('ChecksumAlgorithm', upload.checksumAlgorithm),
          optionalElement('ChecksumType', upload.checksumType),
        ]),
      ),
      ...prefixElements(page.commonPrefixes, encode),
    ]);
    return { status: 200, body: { kind: 'xml', document } };
  },
};
