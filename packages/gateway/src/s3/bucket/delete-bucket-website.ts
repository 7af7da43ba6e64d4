import { deleteOperation } from './configuration-operation';

/** @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketWebsite.html */
export const deleteBucketWebsite = deleteOperation({
  name: 'DeleteBucketWebsite',
  configuration: 'website',
});
