import { textElement, xmlDocument } from '../../http/xml/xml-writer';
import { requireBucket } from '../bucket-access';
import type { Operation } from '../operation';

/** @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketVersioning.html */
export const getBucketVersioning: Operation = {
  name: 'GetBucketVersioning',
  body: 'none',

  async handle(request, context) {
    const { versioning } = await requireBucket(request, context);
    // A bucket that never had versioning has no Status at all (V-1).
    const status = { unversioned: null, enabled: 'Enabled', suspended: 'Suspended' }[versioning];
    return {
      status: 200,
      body: {
        kind: 'xml',
        document: xmlDocument('VersioningConfiguration', [
          status === null ? null : textElement('Status', status),
        ]),
      },
    };
  },
};
