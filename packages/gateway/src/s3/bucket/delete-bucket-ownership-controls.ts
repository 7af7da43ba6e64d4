import { deleteOperation } from './configuration-operation';

/** @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketOwnershipControls.html */
export const deleteBucketOwnershipControls = deleteOperation({
  name: 'DeleteBucketOwnershipControls',
  configuration: 'ownership',
});
