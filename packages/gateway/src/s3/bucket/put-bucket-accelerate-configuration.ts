import {
  childrenOf,
  childText,
  malformedXml,
  parseXml,
  requireRoot,
} from '../../http/xml/xml-element';
import { invalidRequest } from '../s3-error';
import { putOperation } from './configuration-operation';

/**
 * Kept and returned. Every endpoint of a cluster is as near as another, so nothing is accelerated.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketAccelerateConfiguration.html
 */
export const putBucketAccelerateConfiguration = putOperation({
  name: 'PutBucketAccelerateConfiguration',
  configuration: 'accelerate',
  integrity: 'checked',

  parse(document, bucket) {
    const root = requireRoot(parseXml(document), 'AccelerateConfiguration');
    childrenOf(root, ['Status']);
    const status = childText(root, 'Status');
    if (status !== 'Enabled' && status !== 'Suspended') throw malformedXml();
    if (bucket.name.includes('.')) {
      throw invalidRequest(
        'S3 Transfer Acceleration is not supported for buckets with periods (.) in their names',
      );
    }
    return status;
  },
});
