import { taggingDocument } from '../object-tags';
import { getOperation } from './configuration-operation';

/** @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketTagging.html */
export const getBucketTagging = getOperation({
  name: 'GetBucketTagging',
  configuration: 'tagging',
  absent: 'NoSuchTagSet',
  render: taggingDocument,
});
