import type { Headers } from '../../http/request';
import {
  childrenOf,
  childText,
  malformedXml,
  parseXml,
  requireRoot,
} from '../../http/xml/xml-element';
import { requireBucket } from '../bucket-access';
import type { Operation } from '../operation';
import { readDocument } from '../request-document';
import { S3Error } from '../s3-error';
import { changeVersioning } from './bucket-change';
import { CONFIGURATION_BYTES_MAX } from './configuration-operation';

const STATES: ReadonlyMap<string, 'enabled' | 'suspended'> = new Map([
  ['Enabled', 'enabled'],
  ['Suspended', 'suspended'],
]);

/** @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketVersioning.html */
export const putBucketVersioning: Operation = {
  name: 'PutBucketVersioning',
  body: 'document',
  documentBytesMax: CONFIGURATION_BYTES_MAX,

  async handle(request, context) {
    const bucket = await requireBucket(request, context);
    const document = await readDocument(request, {
      bytesMax: CONFIGURATION_BYTES_MAX,
      integrity: 'checked',
    });
    const versioning = parseVersioning(document, request.headers);
    if (versioning === 'suspended' && bucket.configurations['object-lock'] !== undefined) {
      throw new S3Error(
        'InvalidBucketState',
        {},
        {
          message:
            'An Object Lock configuration is present on this bucket, so the versioning state ' +
            'cannot be changed.',
        },
      );
    }
    await changeVersioning(bucket, versioning, context);
    return { status: 200 };
  },
};

/**
 * V-1, V-21: there are no MFA devices here, so nobody can show the token that MfaDelete needs;
 * `Disabled` is what is so anyway.
 */
function parseVersioning(document: Buffer, headers: Headers): 'enabled' | 'suspended' {
  if (document.byteLength === 0) throw new S3Error('MissingRequestBodyError');
  const root = requireRoot(parseXml(document), 'VersioningConfiguration');
  childrenOf(root, ['Status', 'MfaDelete']);
  const status = childText(root, 'Status');
  const mfaDelete = childText(root, 'MfaDelete');
  if (mfaDelete !== null && mfaDelete !== 'Enabled' && mfaDelete !== 'Disabled') {
    throw malformedXml();
  }
  const versioning = status === null ? undefined : STATES.get(status);
  if (status !== null && versioning === undefined) throw malformedXml();
  if (mfaDelete === 'Enabled' || headers.has('x-amz-mfa')) {
    const message = 'Mfa Authentication must be used for this request';
    throw new S3Error('AccessDenied', {}, { message });
  }
  if (versioning === undefined) {
    throw new S3Error(
      'IllegalVersioningConfigurationException',
      {},
      { message: 'The Versioning element must be specified' },
    );
  }
  return versioning;
}
