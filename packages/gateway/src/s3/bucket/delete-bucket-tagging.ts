import { deleteOperation } from './configuration-operation';

/** @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketTagging.html */
export const deleteBucketTagging = deleteOperation({
  name: 'DeleteBucketTagging',
  configuration: 'tagging',
});
