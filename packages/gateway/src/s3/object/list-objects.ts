import { optionalElement, textElement, xmlDocument } from '../../http/xml/xml-writer';
import { requireBucket } from '../bucket-access';
import type { ListingParameters } from '../listing';
import { parseListingParameters, positionAfter } from '../listing';
import type { Operation } from '../operation';
import { contentsElements, prefixElements } from './listing-elements';
import { listPage } from './list-page';

/** @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjects.html */
export const listObjects: Operation = {
  name: 'ListObjects',
  body: 'none',

  async handle(request, context) {
    const parameters = parseListingParameters(request.query, 'max-keys');
    const { delimiter, encode } = parameters;
    const marker = request.query.get('marker') ?? '';
    const after = positionAfter(marker, parameters);
    const bucket = await requireBucket(request, context);

    const page = await listPage(bucket, { ...parameters, after }, request, context);
    // Without a delimiter clients continue from the last key that they got (K-4).
    const nextMarker = page.next !== null && delimiter !== '' ? page.next.key : null;
    const document = xmlDocument('ListBucketResult', [
      textElement('Name', bucket.name),
      textElement('Prefix', shownPrefix(parameters)),
      textElement('Marker', encode(marker)),
      nextMarker === null ? null : textElement('NextMarker', encode(nextMarker)),
      textElement('MaxKeys', parameters.limit),
      delimiter === '' ? null : textElement('Delimiter', encode(delimiter)),
      optionalElement('EncodingType', parameters.encodingType),
      textElement('IsTruncated', page.next !== null),
      ...contentsElements(page.entries, encode, context.accounts),
      ...prefixElements(page.commonPrefixes, encode),
    ]);
    return { status: 200, body: { kind: 'xml', document } };
  },
};

/**
 * botocore asks for encoding and decodes all of this document but the prefix. One of line ends and
 * tabs is the same before and after any decoder, and XML has references for them.
 */
function shownPrefix({ prefix, encode }: ListingParameters): string {
  return /^[\t\n\r]+$/.test(prefix) ? prefix : encode(prefix);
}
