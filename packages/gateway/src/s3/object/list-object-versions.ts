import type { Query } from '../../http/request';
import { optionalElement, textElement, xmlDocument } from '../../http/xml/xml-writer';
import { isVersioned, requireBucket } from '../bucket-access';
import { parseListingParameters, positionAfter } from '../listing';
import type { Operation } from '../operation';
import { invalidArgument, S3Error } from '../s3-error';
import { NULL_VERSION, parseVersionId } from '../version-id';
import { prefixElements, versionElements } from './listing-elements';
import { listPage } from './list-page';

/**
 * Every key of a bucket without versioning has one version, `null`, so the versions in their order
 * (V-14) are the keys in theirs.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectVersions.html
 */
export const listObjectVersions: Operation = {
  name: 'ListObjectVersions',
  action: 's3:ListBucketVersions',
  body: 'none',

  async handle(request, context) {
    const parameters = parseListingParameters(request.query, 'max-keys');
    const { delimiter, encode } = parameters;
    const { keyMarker, versionIdMarker } = parseMarkers(request.query);
    // Behind the one version of a key comes the next key, whether the marker names it or not, and
    // whether it still exists or not (V-15).
    const after = positionAfter(keyMarker, parameters);
    const bucket = await requireBucket(request, context);
    // A list without the older versions and the markers would be taken for all that there is.
    if (isVersioned(bucket)) throw versionsNotListed();

    const page = await listPage(bucket, { ...parameters, after }, request, context);
    const { next } = page;
    const nextVersionId = next === null || next.isPrefix ? null : NULL_VERSION;
    const document = xmlDocument('ListVersionsResult', [
      textElement('IsTruncated', next !== null),
      textElement('KeyMarker', encode(keyMarker)),
      textElement('VersionIdMarker', versionIdMarker),
      next === null ? null : textElement('NextKeyMarker', encode(next.key)),
      optionalElement('NextVersionIdMarker', nextVersionId),
      ...versionElements(page.entries, encode, request.principal),
      textElement('Name', bucket.name),
      textElement('Prefix', encode(parameters.prefix)),
      delimiter === '' ? null : textElement('Delimiter', encode(delimiter)),
      textElement('MaxKeys', parameters.limit),
      ...prefixElements(page.commonPrefixes, encode),
      optionalElement('EncodingType', parameters.encodingType),
    ]);
    return { status: 200, body: { kind: 'xml', document } };
  },
};

/** Both empty when the listing starts at the first key. */
function parseMarkers(query: Query): {
  readonly keyMarker: string;
  readonly versionIdMarker: string;
} {
  const name = 'version-id-marker';
  const keyMarker = query.get('key-marker') ?? '';
  const versionIdMarker = query.get(name);
  if (versionIdMarker === undefined) return { keyMarker, versionIdMarker: '' };
  if (keyMarker === '') {
    if (versionIdMarker === '') return { keyMarker, versionIdMarker };
    const message = 'A version-id marker cannot be specified without a key marker.';
    throw invalidArgument(message, name, versionIdMarker);
  }
  if (versionIdMarker === '') {
    throw invalidArgument('A version-id marker cannot be empty.', name, versionIdMarker);
  }
  return { keyMarker, versionIdMarker: parseVersionId(versionIdMarker, name) };
}

function versionsNotListed(): S3Error {
  const message = 'Listing the versions of a versioned bucket is not implemented';
  return new S3Error('NotImplemented', {}, { message });
}
