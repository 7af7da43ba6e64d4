import { acceptsNothing } from './nothing-configured';

/** @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketNotificationConfiguration.html */
export const putBucketNotificationConfiguration = acceptsNothing({
  name: 'PutBucketNotificationConfiguration',
  root: 'NotificationConfiguration',
});
