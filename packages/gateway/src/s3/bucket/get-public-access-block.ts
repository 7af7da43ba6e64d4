import { xmlDocument } from '../../http/xml/xml-writer';
import { PUBLIC_ACCESS_BLOCK_ELEMENT, publicAccessBlockElements } from '../public-access-block';
import { getOperation } from './configuration-operation';

/** @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetPublicAccessBlock.html */
export const getPublicAccessBlock = getOperation({
  name: 'GetPublicAccessBlock',
  configuration: 'public-access-block',
  absent: 'NoSuchPublicAccessBlockConfiguration',
  render: (block) => xmlDocument(PUBLIC_ACCESS_BLOCK_ELEMENT, publicAccessBlockElements(block)),
});
