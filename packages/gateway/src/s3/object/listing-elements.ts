import type { ListEntry, ListVersionEntry } from '@azimuth/proto';

import type { AccountDirectory } from '../../auth/accounts';
import type { XmlFragment } from '../../http/xml/xml-writer';
import { element, optionalElement, textElement } from '../../http/xml/xml-writer';
import { isoDate } from '../http-date';
import { quoteEtag } from '../object-headers';
import { accountElement } from '../owner-element';

type Encode = (key: string) => string;

/** `<Contents>` of each entry; with owners when `accounts` are given. */
export function contentsElements(
  entries: readonly ListEntry[],
  encode: Encode,
  accounts: AccountDirectory | null,
): XmlFragment[] {
  return entries.map((entry) =>
    element('Contents', [
      textElement('Key', encode(entry.key)),
      textElement('LastModified', isoDate(entry.lastModifiedMs)),
      textElement('ETag', quoteEtag(entry.etag)),
      optionalElement('ChecksumAlgorithm', entry.checksumAlgorithm),
      optionalElement('ChecksumType', entry.checksumType),
      textElement('Size', entry.sizeBytes),
      accounts === null ? null : accountElement('Owner', entry.owner, accounts),
      textElement('StorageClass', entry.storageClass),
    ]),
  );
}

/** `<Version>` or `<DeleteMarker>` of each entry, in the order of the entries (V-14). */
export function versionElements(
  entries: readonly ListVersionEntry[],
  encode: Encode,
  accounts: AccountDirectory,
): XmlFragment[] {
  return entries.map((entry) => {
    const common = [
      textElement('Key', encode(entry.key)),
      textElement('VersionId', entry.versionId),
      textElement('IsLatest', entry.isLatest),
      textElement('LastModified', isoDate(entry.lastModifiedMs)),
      accountElement('Owner', entry.owner, accounts),
    ];
    if (entry.isDeleteMarker) return element('DeleteMarker', common);
    return element('Version', [
      ...common,
      textElement('ETag', quoteEtag(entry.etag)),
      optionalElement('ChecksumAlgorithm', entry.checksumAlgorithm),
      optionalElement('ChecksumType', entry.checksumType),
      textElement('Size', entry.sizeBytes),
      textElement('StorageClass', entry.storageClass),
    ]);
  });
}

export function prefixElements(prefixes: readonly string[], encode: Encode): XmlFragment[] {
  return prefixes.map((prefix) =>
    element('CommonPrefixes', [textElement('Prefix', encode(prefix))]),
  );
}
