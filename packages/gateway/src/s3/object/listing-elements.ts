import type { ListEntry, ListVersionEntry } from '@azimuth/proto';

import type { AccountDirectory } from '../../auth/accounts';
import type { XmlFragment } from '../../http/xml/xml-writer';
import { element, escapeXml, optionalElement, textElement } from '../../http/xml/xml-writer';
import { isoDate } from '../http-date';
import { quoteEtag } from '../object-headers';
import { accountElement } from '../owner-element';

type Encode = (key: string) => string;

/**
 * `<Contents>` of each entry; with owners when `accounts` are given. A page has a thousand, so each
 * is written in one go: put together of elements it takes five times as long.
 */
export function contentsElements(
  entries: readonly ListEntry[],
  encode: Encode,
  accounts: AccountDirectory | null,
): XmlFragment[] {
  return entries.map((entry) => ({
    xml:
      `<Contents><Key>${escapeXml(encode(entry.key))}</Key>` +
      `<LastModified>${isoDate(entry.lastModifiedMs)}</LastModified>` +
      `<ETag>&quot;${escapeXml(entry.etag)}&quot;</ETag>` +
      optionalText('ChecksumAlgorithm', entry.checksumAlgorithm) +
      optionalText('ChecksumType', entry.checksumType) +
      `<Size>${entry.sizeBytes}</Size>` +
      (accounts === null ? '' : accountElement('Owner', entry.owner, accounts).xml) +
      `<StorageClass>${escapeXml(entry.storageClass)}</StorageClass></Contents>`,
  }));
}

function optionalText(name: string, value: string | null): string {
  return value === null ? '' : `<${name}>${escapeXml(value)}</${name}>`;
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
