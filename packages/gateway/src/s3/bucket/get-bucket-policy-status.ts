import { parsePolicyDocument } from '../../auth/policy/parse-policy';
import { isPublicPolicy } from '../../auth/policy/public-policy';
import { textElement, xmlDocument } from '../../http/xml/xml-writer';
import { getOperation } from './configuration-operation';

/** @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketPolicyStatus.html */
export const getBucketPolicyStatus = getOperation({
  name: 'GetBucketPolicyStatus',
  configuration: 'policy',
  absent: 'NoSuchBucketPolicy',
  render: (text) =>
    xmlDocument('PolicyStatus', [
      textElement('IsPublic', isPublicPolicy(parsePolicyDocument(text, 'resource'))),
    ]),
});
