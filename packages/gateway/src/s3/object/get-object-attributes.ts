import type { VersionPart } from '@azimuth/proto';

import type { Headers } from '../../http/request';
import type { XmlFragment } from '../../http/xml/xml-writer';
import { element, textElement, xmlDocument } from '../../http/xml/xml-writer';
import { isVersioned, requireObject } from '../bucket-access';
import { checksumElement, checksumElements } from '../checksum-headers';
import { httpDate } from '../http-date';
import { PAGE_LENGTH_MAX } from '../listing';
import { refuseUnimplementedHeaders } from '../object-headers';
import type { Operation } from '../operation';
import { invalidArgument, invalidRequest } from '../s3-error';
import { versionIdOf } from '../version-id';
import type { ReadableVersion } from './current-version';
import { requireVersion } from './current-version';

const ATTRIBUTES = ['ETag', 'Checksum', 'ObjectParts', 'StorageClass', 'ObjectSize'] as const;
type Attribute = (typeof ATTRIBUTES)[number];

const ATTRIBUTES_HEADER = 'x-amz-object-attributes';
const INT32_MAX = 2_147_483_647;

/** @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectAttributes.html */
export const getObjectAttributes: Operation = {
  name: 'GetObjectAttributes',
  body: 'none',

  async handle(request, context) {
    const { headers, query, signal } = request;
    const versionId = versionIdOf(query);
    const wanted = parseAttributes(headers);
    const paging: PartsPaging = {
      limit: Math.min(parseCount(headers, 'x-amz-max-parts', PAGE_LENGTH_MAX), PAGE_LENGTH_MAX),
      after: parseCount(headers, 'x-amz-part-number-marker', 0),
    };
    refuseUnimplementedHeaders(headers);
    const location = await requireObject(request, context);

    const withBody = wanted.has('ObjectParts');
    const version = await requireVersion(location, { versionId, withBody, signal }, context);
    const { head } = version;
    const checksum = checksumElements(head.checksum);
    const document = xmlDocument('GetObjectAttributesResponse', [
      wanted.has('ETag') ? textElement('ETag', head.etag) : null,
      wanted.has('Checksum') && checksum.length > 0 ? element('Checksum', checksum) : null,
      wanted.has('ObjectParts') ? partsElement(version, paging) : null,
      wanted.has('StorageClass') ? textElement('StorageClass', head.storageClass) : null,
      wanted.has('ObjectSize') ? textElement('ObjectSize', head.sizeBytes) : null,
    ]);
    return {
      status: 200,
      headers: {
        'last-modified': httpDate(head.lastModifiedMs),
        ...(isVersioned(location.bucket) ? { 'x-amz-version-id': head.versionId } : {}),
      },
      body: { kind: 'xml', document },
    };
  },
};

function parseAttributes(headers: Headers): ReadonlySet<Attribute> {
  const text = headers.get(ATTRIBUTES_HEADER) ?? '';
  const names = text
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
  if (names.length === 0) {
    throw invalidRequest(
      'The x-amz-object-attributes header specifying the attributes to be retrieved is either ' +
        'missing or empty',
    );
  }
  return new Set(
    names.map((name) => {
      const known = ATTRIBUTES.find((attribute) => attribute === name);
      if (known !== undefined) return known;
      throw invalidArgument('Invalid attribute name specified.', ATTRIBUTES_HEADER, name);
    }),
  );
}

function parseCount(headers: Headers, name: string, whenAbsent: number): number {
  const text = headers.get(name);
  if (text === undefined || text === '') return whenAbsent;
  const count = /^[0-9]{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (count <= INT32_MAX) return count;
  throw invalidArgument(`Provided ${name} not an integer or within integer range`, name, text);
}

interface PartsPaging {
  readonly limit: number;
  /** Part number that the page starts behind. */
  readonly after: number;
}

/** Null unless the object was uploaded in parts; they are listed when they have checksums (KC-8). */
function partsElement({ head, body }: ReadableVersion, paging: PartsPaging): XmlFragment | null {
  if (head.partsCount === 0) return null;
  const count = textElement('PartsCount', head.partsCount);
  const parts = body?.parts ?? [];
  const { checksum } = head;
  if (checksum === null || parts.some((part) => part.checksum === null)) {
    return element('ObjectParts', [count]);
  }
  const following = parts.filter((part) => part.partNumber > paging.after);
  const page = following.slice(0, paging.limit);
  return element('ObjectParts', [
    count,
    textElement('PartNumberMarker', paging.after),
    textElement('NextPartNumberMarker', page.at(-1)?.partNumber ?? paging.after),
    textElement('MaxParts', paging.limit),
    textElement('IsTruncated', following.length > page.length),
    ...page.map((part) => partElement(part, checksumElement(checksum.algorithm))),
  ]);
}

function partElement(part: VersionPart, checksumName: string): XmlFragment {
  return element('Part', [
    textElement('PartNumber', part.partNumber),
    textElement('Size', part.sizeBytes),
    part.checksum === null ? null : textElement(checksumName, part.checksum),
  ]);
}
