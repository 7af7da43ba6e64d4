import { INTELLIGENT_TIERING_KIND } from './numbered-kinds';
import { getNumbered } from './numbered-operation';

/** @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketIntelligentTieringConfiguration.html */
export const getBucketIntelligentTieringConfiguration = getNumbered(INTELLIGENT_TIERING_KIND);
