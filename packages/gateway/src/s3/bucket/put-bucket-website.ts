import { parseWebsiteConfiguration } from '../website/website-configuration';
import { putOperation } from './configuration-operation';

const DOCUMENT_BYTES_MAX = 128 * 1024;

/** @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketWebsite.html */
export const putBucketWebsite = putOperation({
  name: 'PutBucketWebsite',
  configuration: 'website',
  documentBytesMax: DOCUMENT_BYTES_MAX,
  integrity: 'checked',
  parse: parseWebsiteConfiguration,
});
