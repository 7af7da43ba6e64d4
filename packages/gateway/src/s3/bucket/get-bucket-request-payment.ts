import { textElement, xmlDocument } from '../../http/xml/xml-writer';
import { getOperation } from './configuration-operation';

/** @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketRequestPayment.html */
export const getBucketRequestPayment = getOperation({
  name: 'GetBucketRequestPayment',
  configuration: 'request-payment',
  absent: () => rendered('BucketOwner'),
  render: rendered,
});

function rendered(payer: string): string {
  return xmlDocument('RequestPaymentConfiguration', [textElement('Payer', payer)]);
}
