import { deleteOperation } from './configuration-operation';

/** @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeletePublicAccessBlock.html */
export const deletePublicAccessBlock = deleteOperation({
  name: 'DeletePublicAccessBlock',
  configuration: 'public-access-block',
});
