import {
  childrenOf,
  childText,
  malformedXml,
  parseXml,
  requireRoot,
} from '../../http/xml/xml-element';
import { putOperation } from './configuration-operation';

/** @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketRequestPayment.html */
export const putBucketRequestPayment = putOperation({
  name: 'PutBucketRequestPayment',
  configuration: 'request-payment',
  integrity: 'checked',

  parse(document) {
    const root = requireRoot(parseXml(document), 'RequestPaymentConfiguration');
    childrenOf(root, ['Payer']);
    const payer = childText(root, 'Payer');
    if (payer !== 'BucketOwner' && payer !== 'Requester') throw malformedXml();
    return payer;
  },
});
