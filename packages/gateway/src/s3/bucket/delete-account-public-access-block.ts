import type { Operation } from '../operation';
import { changeAccountBlock, requireAccount } from './account-access-block';

/** @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_control_DeletePublicAccessBlock.html */
export const deleteAccountPublicAccessBlock: Operation = {
  name: 'DeleteAccountPublicAccessBlock',
  body: 'none',

  async handle(request, context) {
    await changeAccountBlock(requireAccount(request, context), null, request, context);
    return { status: 204 };
  },
};
