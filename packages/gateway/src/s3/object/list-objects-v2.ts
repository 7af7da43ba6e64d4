import type { ListPosition } from '@azimuth/proto';

import type { Query } from '../../http/request';
import { optionalElement, textElement, xmlDocument } from '../../http/xml/xml-writer';
import { requireBucket } from '../bucket-access';
import { decodeToken, encodeToken, parseListingParameters, positionAfter } from '../listing';
import type { ListingParameters } from '../listing';
import type { Operation } from '../operation';
import { contentsElements, prefixElements } from './listing-elements';
import { listPage } from './list-page';

/** @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html */
export const listObjectsV2: Operation = {
  name: 'ListObjectsV2',
  body: 'none',

  async handle(request, context) {
    const { query } = request;
    const parameters = parseListingParameters(query, 'max-keys');
    const { encode } = parameters;
    const after = startOf(query, parameters);
    const withOwner = query.get('fetch-owner')?.toLowerCase() === 'true';
    const bucket = await requireBucket(request, context);

    const page = await listPage(bucket, { ...parameters, after }, request, context);
    const startAfter = query.get('start-after');
    const document = xmlDocument('ListBucketResult', [
      textElement('Name', bucket.name),
      textElement('Prefix', encode(parameters.prefix)),
      optionalElement('ContinuationToken', query.get('continuation-token') ?? null),
      page.next === null ? null : textElement('NextContinuationToken', encodeToken(page.next)),
      startAfter === undefined ? null : textElement('StartAfter', encode(startAfter)),
      textElement('KeyCount', page.entries.length + page.commonPrefixes.length),
      textElement('MaxKeys', parameters.limit),
      parameters.delimiter === '' ? null : textElement('Delimiter', encode(parameters.delimiter)),
      optionalElement('EncodingType', parameters.encodingType),
      textElement('IsTruncated', page.next !== null),
      ...contentsElements(page.entries, encode, withOwner ? context.accounts : null),
      ...prefixElements(page.commonPrefixes, encode),
    ]);
    return { status: 200, body: { kind: 'xml', document } };
  },
};

/** A token overrides start-after; an empty one is the first page (K-5). */
function startOf(query: Query, parameters: ListingParameters): ListPosition | null {
  const token = query.get('continuation-token') ?? '';
  if (token !== '') return decodeToken(token);
  return positionAfter(query.get('start-after') ?? '', parameters);
}
