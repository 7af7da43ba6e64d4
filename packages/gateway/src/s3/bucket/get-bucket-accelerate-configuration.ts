import { textElement, xmlDocument } from '../../http/xml/xml-writer';
import { getOperation } from './configuration-operation';

const ROOT = 'AccelerateConfiguration';

/** @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketAccelerateConfiguration.html */
export const getBucketAccelerateConfiguration = getOperation({
  name: 'GetBucketAccelerateConfiguration',
  configuration: 'accelerate',
  absent: () => xmlDocument(ROOT, []),
  render: (status) => xmlDocument(ROOT, [textElement('Status', status)]),
});
