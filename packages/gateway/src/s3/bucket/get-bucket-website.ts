import { renderWebsiteConfiguration } from '../website/website-configuration';
import { getOperation } from './configuration-operation';

/** @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketWebsite.html */
export const getBucketWebsite = getOperation({
  name: 'GetBucketWebsite',
  configuration: 'website',
  absent: 'NoSuchWebsiteConfiguration',
  render: renderWebsiteConfiguration,
});
