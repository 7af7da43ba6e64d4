import { ANALYTICS_KIND } from './numbered-kinds';
import { listNumbered } from './numbered-operation';

/** @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListBucketAnalyticsConfigurations.html */
export const listBucketAnalyticsConfigurations = listNumbered(ANALYTICS_KIND);
