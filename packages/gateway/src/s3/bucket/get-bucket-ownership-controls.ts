import { element, textElement, xmlDocument } from '../../http/xml/xml-writer';
import { getOperation } from './configuration-operation';

/** @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketOwnershipControls.html */
export const getBucketOwnershipControls = getOperation({
  name: 'GetBucketOwnershipControls',
  configuration: 'ownership',
  absent: 'OwnershipControlsNotFoundError',
  render: (ownership) =>
    xmlDocument('OwnershipControls', [
      element('Rule', [textElement('ObjectOwnership', ownership)]),
    ]),
});
