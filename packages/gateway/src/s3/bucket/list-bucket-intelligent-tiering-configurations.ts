import { INTELLIGENT_TIERING_KIND } from './numbered-kinds';
import { listNumbered } from './numbered-operation';

/** @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListBucketIntelligentTieringConfigurations.html */
export const listBucketIntelligentTieringConfigurations = listNumbered(INTELLIGENT_TIERING_KIND);
