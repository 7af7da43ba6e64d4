import { controlDocument } from '../../http/xml/xml-writer';
import type { PublicAccessBlock } from '../bucket-configuration';
import type { Operation } from '../operation';
import { PUBLIC_ACCESS_BLOCK_ELEMENT, publicAccessBlockElements } from '../public-access-block';
import { S3Error } from '../s3-error';
import { requireAccount } from './account-access-block';
import { xmlResponse } from './configuration-operation';

/** @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_control_GetPublicAccessBlock.html */
export const getAccountPublicAccessBlock: Operation = {
  name: 'GetAccountPublicAccessBlock',
  body: 'none',

  // eslint-disable-next-line @typescript-eslint/require-await -- what it throws must reject
  async handle(request, context) {
    const { accountId, publicAccessBlock } = requireAccount(request, context);
    if (publicAccessBlock === null) {
      throw new S3Error('NoSuchPublicAccessBlockConfiguration', { AccountId: accountId });
    }
    const block = JSON.parse(publicAccessBlock) as PublicAccessBlock;
    const elements = publicAccessBlockElements(block);
    return xmlResponse(controlDocument(PUBLIC_ACCESS_BLOCK_ELEMENT, elements));
  },
};
