import { xmlDocument } from '../../http/xml/xml-writer';
import { requireBucket } from '../bucket-access';
import type { Operation } from '../operation';
import { xmlResponse } from './configuration-operation';

/** @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketNotificationConfiguration.html */
export const getBucketNotificationConfiguration: Operation = {
  name: 'GetBucketNotificationConfiguration',
  body: 'none',

  async handle(request, context) {
    await requireBucket(request, context);
    return xmlResponse(xmlDocument('NotificationConfiguration', []));
  },
};
