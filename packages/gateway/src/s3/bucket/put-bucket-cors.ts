import { parseCorsConfiguration } from '../cors/cors-configuration';
import { putOperation } from './configuration-operation';

/** @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketCors.html */
export const putBucketCors = putOperation({
  name: 'PutBucketCors',
  configuration: 'cors',
  integrity: 'required',
  parse: parseCorsConfiguration,
});
