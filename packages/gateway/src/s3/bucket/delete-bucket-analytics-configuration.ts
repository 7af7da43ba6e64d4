import { ANALYTICS_KIND } from './numbered-kinds';
import { deleteNumbered } from './numbered-operation';

/** @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketAnalyticsConfiguration.html */
export const deleteBucketAnalyticsConfiguration = deleteNumbered(ANALYTICS_KIND);
