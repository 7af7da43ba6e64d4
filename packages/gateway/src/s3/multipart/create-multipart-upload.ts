import { textElement, xmlDocument } from '../../http/xml/xml-writer';
import { requireWritableObject } from '../bucket-access';
import { parseUploadChecksum } from '../checksum-headers';
import { parseObjectAttributes } from '../object-headers';
import { parseTaggingHeader } from '../object-tags';
import { newObject } from '../object/new-object';
import type { Operation } from '../operation';
import { refuseConditions } from '../precondition';
import { refuseVersionId } from '../version-id';
import { initiatorOf } from './upload-initiator';
import { newUploadId } from './upload-id';

/** @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateMultipartUpload.html */
export const createMultipartUpload: Operation = {
  name: 'CreateMultipartUpload',
  body: 'none',

  async handle(request, context) {
    refuseVersionId(request.query);
    refuseConditions(request.headers);
    const given = {
      attributes: parseObjectAttributes(request.headers),
      tags: parseTaggingHeader(request.headers),
    };
    const checksum = parseUploadChecksum(request.headers);
    const location = await requireWritableObject(request, context);
    const { bucket, key } = location;
    const object = newObject(request, location, given, context);

    const draft = {
      ...location.address,
      uploadId: newUploadId(context),
      checksumAlgorithm: checksum.algorithm,
      checksumType: checksum.type,
      ...object,
      initiator: initiatorOf(request.principal),
    };
    const upload = await context.metadata.index(
      location.group,
      'CreateUpload',
      { upload: draft },
      { signal: request.signal },
    );
    const headers: Record<string, string> = {};
    if (checksum.algorithm !== null) headers['x-amz-checksum-algorithm'] = checksum.algorithm;
    if (checksum.type !== null) headers['x-amz-checksum-type'] = checksum.type;
    const document = xmlDocument('InitiateMultipartUploadResult', [
      textElement('Bucket', bucket.name),
      textElement('Key', key),
      textElement('UploadId', upload.uploadId),
    ]);
    return { status: 200, headers, body: { kind: 'xml', document } };
  },
};
