import {
  childrenOf,
  childText,
  malformedXml,
  parseXml,
  requireRoot,
} from '../../http/xml/xml-element';
import { isOwnerOnly } from '../acl/object-acl';
import type { ObjectOwnership } from '../bucket-configuration';
import { bucketConfiguration, parseObjectOwnership } from '../bucket-configuration';
import { S3Error } from '../s3-error';
import { putOperation } from './configuration-operation';

/** @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketOwnershipControls.html */
export const putBucketOwnershipControls = putOperation({
  name: 'PutBucketOwnershipControls',
  configuration: 'ownership',
  integrity: 'required',

  parse(document, bucket) {
    const ownership = parseOwnershipControls(document);
    const acl = bucketConfiguration(bucket, 'acl');
    // P-8: grants to others would silently lose their meaning.
    if (ownership === 'BucketOwnerEnforced' && acl !== null) {
      if (!isOwnerOnly(acl.grants, bucket.owner)) {
        throw new S3Error('InvalidBucketAclWithObjectOwnership');
      }
    }
    return ownership;
  },
});

function parseOwnershipControls(document: Buffer): ObjectOwnership {
  const root = requireRoot(parseXml(document), 'OwnershipControls');
  const [rule, another] = childrenOf(root, ['Rule']);
  if (rule === undefined || another !== undefined) throw malformedXml();
  childrenOf(rule, ['ObjectOwnership']);
  const ownership = parseObjectOwnership(childText(rule, 'ObjectOwnership') ?? '');
  if (ownership === null) throw malformedXml();
  return ownership;
}
