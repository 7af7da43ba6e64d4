import { hasCode } from '@azimuth/common';
import type { VersionPosition } from '@azimuth/proto';

import type { Query } from '../../http/request';
import { optionalElement, textElement, xmlDocument } from '../../http/xml/xml-writer';
import { requireBucket } from '../bucket-access';
import type { ListingParameters } from '../listing';
import { parseListingParameters, positionAfter } from '../listing';
import type { Operation } from '../operation';
import { invalidArgument } from '../s3-error';
import { parseVersionId } from '../version-id';
import { prefixElements, versionElements } from './listing-elements';
import { listVersionPage } from './list-page';

const VERSION_MARKER = 'version-id-marker';

/** @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectVersions.html */
export const listObjectVersions: Operation = {
  name: 'ListObjectVersions',
  body: 'none',

  async handle(request, context) {
    const parameters = parseListingParameters(request.query, 'max-keys');
    const { delimiter, encode } = parameters;
    const markers = parseMarkers(request.query);
    const after = positionOf(markers, parameters);
    const bucket = await requireBucket(request, context);

    const page = await listVersionPage(bucket, { ...parameters, after }, request, context).catch(
      (error: unknown) => {
        // Well-formed, but no id that this store ever gave: nothing says where its place is.
        if (!hasCode(error, 'INVALID_ARGUMENT') || markers.versionId === '') throw error;
        throw invalidArgument('Invalid version id specified', VERSION_MARKER, markers.versionId);
      },
    );
    const { next } = page;
    const document = xmlDocument('ListVersionsResult', [
      textElement('Name', bucket.name),
      textElement('Prefix', encode(parameters.prefix)),
      textElement('KeyMarker', encode(markers.key)),
      textElement('VersionIdMarker', markers.versionId),
      next === null ? null : textElement('NextKeyMarker', encode(next.key)),
      optionalElement('NextVersionIdMarker', next?.versionId ?? null),
      textElement('MaxKeys', parameters.limit),
      delimiter === '' ? null : textElement('Delimiter', encode(delimiter)),
      optionalElement('EncodingType', parameters.encodingType),
      textElement('IsTruncated', next !== null),
      ...versionElements(page.entries, encode, context.accounts),
      ...prefixElements(page.commonPrefixes, encode),
    ]);
    return { status: 200, body: { kind: 'xml', document } };
  },
};

/** Both empty when the listing starts at the first key. */
interface Markers {
  readonly key: string;
  readonly versionId: string;
}

function parseMarkers(query: Query): Markers {
  const key = query.get('key-marker') ?? '';
  const versionId = query.get(VERSION_MARKER) ?? '';
  if (!query.has(VERSION_MARKER) || (key === '' && versionId === '')) return { key, versionId };
  if (key === '') {
    const message = 'A version-id marker cannot be specified without a key marker.';
    throw invalidArgument(message, VERSION_MARKER, versionId);
  }
  if (versionId === '') {
    throw invalidArgument('A version-id marker cannot be empty.', VERSION_MARKER, versionId);
  }
  return { key, versionId: parseVersionId(versionId, VERSION_MARKER) };
}

/** V-15: strictly behind the pair, whether that version still exists or not. */
function positionOf(markers: Markers, parameters: ListingParameters): VersionPosition | null {
  const position = positionAfter(markers.key, parameters);
  if (position === null) return null;
  const versionId = position.isPrefix || markers.versionId === '' ? null : markers.versionId;
  return { ...position, versionId };
}
