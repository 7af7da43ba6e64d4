import { INTELLIGENT_TIERING_KIND } from './numbered-kinds';
import { deleteNumbered } from './numbered-operation';

/** @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketIntelligentTieringConfiguration.html */
export const deleteBucketIntelligentTieringConfiguration = deleteNumbered(INTELLIGENT_TIERING_KIND);
