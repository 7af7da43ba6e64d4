import { deleteOperation } from './configuration-operation';

/** @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketCors.html */
export const deleteBucketCors = deleteOperation({
  name: 'DeleteBucketCors',
  configuration: 'cors',
});
