import { ANALYTICS_KIND } from './numbered-kinds';
import { getNumbered } from './numbered-operation';

/** @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketAnalyticsConfiguration.html */
export const getBucketAnalyticsConfiguration = getNumbered(ANALYTICS_KIND);
