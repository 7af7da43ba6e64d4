import type { ListEntry } from '@azimuth/proto';

import type { S3Request } from '../../http/request';
import type { XmlFragment } from '../../http/xml/xml-writer';
import { element, optionalElement, textElement } from '../../http/xml/xml-writer';
import { isoDate } from '../http-date';
import { quoteEtag } from '../object-headers';
import { accountElement } from '../owner-element';
import { NULL_VERSION } from '../version-id';

type Encode = (key: string) => string;

/** `<Contents>` of each entry; with owners when `principal`, the caller, is given. */
export function contentsElements(
  entries: readonly ListEntry[],
  encode: Encode,
  principal: S3Request['principal'] | null,
): XmlFragment[] {
  return entries.map((entry) =>
    element('Contents', [
      textElement('Key', encode(entry.key)),
      textElement('LastModified', isoDate(entry.lastModifiedMs)),
      textElement('ETag', quoteEtag(entry.etag)),
      optionalElement('ChecksumAlgorithm', entry.checksumAlgorithm),
      optionalElement('ChecksumType', entry.checksumType),
      textElement('Size', entry.sizeBytes),
      principal === null ? null : accountElement('Owner', entry.owner, principal),
      textElement('StorageClass', entry.storageClass),
    ]),
  );
}

/** `<Version>` of each entry of a bucket without versioning. */
export function versionElements(
  entries: readonly ListEntry[],
  encode: Encode,
  principal: S3Request['principal'],
): XmlFragment[] {
  return entries.map((entry) =>
    element('Version', [
      textElement('ETag', quoteEtag(entry.etag)),
      optionalElement('ChecksumAlgorithm', entry.checksumAlgorithm),
      optionalElement('ChecksumType', entry.checksumType),
      textElement('Size', entry.sizeBytes),
      textElement('StorageClass', entry.storageClass),
      textElement('Key', encode(entry.key)),
      textElement('VersionId', NULL_VERSION),
      textElement('IsLatest', true),
      textElement('LastModified', isoDate(entry.lastModifiedMs)),
      accountElement('Owner', entry.owner, principal),
    ]),
  );
}

export function prefixElements(prefixes: readonly string[], encode: Encode): XmlFragment[] {
  return prefixes.map((prefix) =>
    element('CommonPrefixes', [textElement('Prefix', encode(prefix))]),
  );
}
