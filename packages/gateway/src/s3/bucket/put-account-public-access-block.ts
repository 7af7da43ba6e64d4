import type { Operation } from '../operation';
import { parsePublicAccessBlock } from '../public-access-block';
import { readDocument } from '../request-document';
import { S3Error } from '../s3-error';
import { changeAccountBlock, requireAccount } from './account-access-block';
import { CONFIGURATION_BYTES_MAX } from './configuration-operation';

/** @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_control_PutPublicAccessBlock.html */
export const putAccountPublicAccessBlock: Operation = {
  name: 'PutAccountPublicAccessBlock',
  body: 'document',
  documentBytesMax: CONFIGURATION_BYTES_MAX,

  async handle(request, context) {
    const account = requireAccount(request, context);
    const document = await readDocument(request, {
      bytesMax: CONFIGURATION_BYTES_MAX,
      integrity: 'checked',
    });
    if (document.byteLength === 0) throw new S3Error('MissingRequestBodyError');
    await changeAccountBlock(account, parsePublicAccessBlock(document), request, context);
    return { status: 201 };
  },
};
