import { acceptsNothing } from './nothing-configured';

/** @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketLogging.html */
export const putBucketLogging = acceptsNothing({
  name: 'PutBucketLogging',
  root: 'BucketLoggingStatus',
});
