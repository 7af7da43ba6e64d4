import { ANALYTICS_KIND } from './numbered-kinds';
import { putNumbered } from './numbered-operation';

/** @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketAnalyticsConfiguration.html */
export const putBucketAnalyticsConfiguration = putNumbered(ANALYTICS_KIND);
