import { renderCorsConfiguration } from '../cors/cors-configuration';
import { getOperation } from './configuration-operation';

/** @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketCors.html */
export const getBucketCors = getOperation({
  name: 'GetBucketCors',
  configuration: 'cors',
  absent: 'NoSuchCORSConfiguration',
  render: renderCorsConfiguration,
});
