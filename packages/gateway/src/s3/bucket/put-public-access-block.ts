import { parsePublicAccessBlock } from '../public-access-block';
import { putOperation } from './configuration-operation';

/** @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutPublicAccessBlock.html */
export const putPublicAccessBlock = putOperation({
  name: 'PutPublicAccessBlock',
  configuration: 'public-access-block',
  integrity: 'required',
  parse: parsePublicAccessBlock,
});
