import { INTELLIGENT_TIERING_KIND } from './numbered-kinds';
import { putNumbered } from './numbered-operation';

/** @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketIntelligentTieringConfiguration.html */
export const putBucketIntelligentTieringConfiguration = putNumbered(INTELLIGENT_TIERING_KIND);
