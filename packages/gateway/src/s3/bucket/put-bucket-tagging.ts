import { BUCKET_TAG_LIMIT, parseTaggingDocument } from '../object-tags';
import { putOperation } from './configuration-operation';

/** @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketTagging.html */
export const putBucketTagging = putOperation({
  name: 'PutBucketTagging',
  configuration: 'tagging',
  integrity: 'required',

  parse(document) {
    const tags = parseTaggingDocument(document, BUCKET_TAG_LIMIT);
    // A set without tags is no tag set.
    return Object.keys(tags).length === 0 ? null : tags;
  },
});
