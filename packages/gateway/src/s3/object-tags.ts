import type { Conditions } from '../auth/authorize';
import type { Headers } from '../http/request';
import type { XmlElement } from '../http/xml/xml-element';
import {
  childrenOf,
  childText,
  malformedXml,
  parseXml,
  requireRoot,
} from '../http/xml/xml-element';
import { element, textElement, xmlDocument } from '../http/xml/xml-writer';
import { compareKeys } from './listing';
import { invalidArgument, S3Error } from './s3-error';

/** Key → value, in the order in which a document gave them, or in that of their keys. */
export type ObjectTags = Readonly<Record<string, string>>;

export const OBJECT_TAGS_MAX = 10;

/** How many tags there may be, and what a client is told of more. */
export interface TagLimit {
  readonly tagsMax: number;
  readonly message: string;
}

export const OBJECT_TAG_LIMIT: TagLimit = {
  tagsMax: OBJECT_TAGS_MAX,
  message: `Object tags cannot be greater than ${OBJECT_TAGS_MAX}`,
};
export const BUCKET_TAG_LIMIT: TagLimit = {
  tagsMax: 50,
  message: 'Bucket tag count cannot be greater than 50',
};
/** Unicode characters. */
const KEY_LENGTH_MAX = 128;
const VALUE_LENGTH_MAX = 256;
export const TAGGING_HEADER = 'x-amz-tagging';

/** @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html */
const ALLOWED = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u;
const RESERVED_PREFIX = 'aws:';

type Tag = readonly [key: string, value: string];

export const NO_TAGS: ObjectTags = {};

/**
 * `x-amz-tagging`: a URL query; null when absent or empty. Parameters of a query have no order
 * that means anything: the tags are kept in that of their keys.
 *
 * @throws S3Error InvalidArgument for broken encoding and keys given twice, InvalidTag, BadRequest.
 */
export function parseTaggingHeader(headers: Headers): ObjectTags | null {
  const text = headers.get(TAGGING_HEADER);
  if (text === undefined || text === '') return null;
  const tags = text
    .split('&')
    .filter((pair) => pair !== '')
    .map((pair): Tag => {
      const equals = pair.indexOf('=');
      const key = equals < 0 ? pair : pair.slice(0, equals);
      return [decodePart(key, text), decodePart(equals < 0 ? '' : pair.slice(equals + 1), text)];
    })
    .sort(([a], [b]) => compareKeys(a, b));
  if (new Set(tags.map(([key]) => key)).size < tags.length) throw malformedHeader(text);
  return checkedTags(tags, OBJECT_TAG_LIMIT);
}

function decodePart(part: string, header: string): string {
  try {
    return decodeURIComponent(part.replaceAll('+', ' '));
  } catch {
    throw malformedHeader(header);
  }
}

function malformedHeader(value: string): S3Error {
  return invalidArgument(
    "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters " +
      'without tag name duplicates.',
    TAGGING_HEADER,
    value,
  );
}

/**
 * `<Tagging><TagSet><Tag><Key/><Value/></Tag>…`.
 *
 * @throws S3Error MalformedXML, InvalidTag, BadRequest.
 */
export function parseTaggingDocument(
  document: Uint8Array,
  limit: TagLimit = OBJECT_TAG_LIMIT,
): ObjectTags {
  const root = requireRoot(parseXml(document), 'Tagging');
  const [set, another] = childrenOf(root, ['TagSet']);
  if (set === undefined || another !== undefined) throw malformedXml();
  return parseTagSet(set, limit);
}

/** The `<Tag>` elements in a `<TagSet>` or `<Tags>`. */
export function parseTagSet(set: XmlElement, limit: TagLimit): ObjectTags {
  const tags = childrenOf(set, ['Tag']).map(parseTag);
  if (new Set(tags.map(([key]) => key)).size < tags.length) {
    throw invalidTag('Cannot provide multiple Tags with the same key');
  }
  return checkedTags(tags, limit);
}

function parseTag(tag: XmlElement): Tag {
  childrenOf(tag, ['Key', 'Value']);
  const key = childText(tag, 'Key');
  const value = childText(tag, 'Value');
  if (key === null || value === null) throw malformedXml();
  return [key, value];
}

function checkedTags(tags: readonly Tag[], limit: TagLimit): ObjectTags {
  if (tags.length > limit.tagsMax) {
    throw new S3Error('BadRequest', {}, { message: limit.message });
  }
  for (const [key, value] of tags) {
    // `__proto__` is the one name that a record cannot hold, and better refused than changed.
    const isKey = key !== '' && key !== '__proto__' && isShort(key, KEY_LENGTH_MAX);
    if (!isKey || !ALLOWED.test(key)) {
      throw invalidTag('The TagKey you have provided is invalid', { TagKey: key });
    }
    if (key.toLowerCase().startsWith(RESERVED_PREFIX)) {
      throw invalidTag('System tags cannot be added/updated by requester', { TagKey: key });
    }
    if (!isShort(value, VALUE_LENGTH_MAX) || !ALLOWED.test(value)) {
      throw invalidTag('The TagValue you have provided is invalid', {
        TagKey: key,
        TagValue: value,
      });
    }
  }
  return Object.fromEntries(tags);
}

function isShort(text: string, lengthMax: number): boolean {
  return text.length <= lengthMax || Array.from(text).length <= lengthMax;
}

function invalidTag(message: string, detail: Readonly<Record<string, string>> = {}): S3Error {
  return new S3Error('InvalidTag', detail, { message });
}

export function taggingDocument(tags: ObjectTags): string {
  const elements = Object.entries(tags).map(([key, value]) =>
    element('Tag', [textElement('Key', key), textElement('Value', value)]),
  );
  return xmlDocument('Tagging', [element('TagSet', elements)]);
}

/** `x-amz-tagging-count` of GET and HEAD: only there when there are tags. */
export function tagCountHeaders(tags: ObjectTags): Record<string, string> {
  const count = Object.keys(tags).length;
  return count === 0 ? {} : { 'x-amz-tagging-count': String(count) };
}

/**
 * What policies can ask of the tags in a request: `s3:RequestObjectTag/<key>` and
 * `s3:RequestObjectTagKeys`.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/tagging-and-policies.html
 */
export function requestTagConditions(tags: ObjectTags | null): Conditions {
  const entries = Object.entries(tags ?? NO_TAGS);
  if (entries.length === 0) return {};
  return {
    's3:RequestObjectTagKeys': entries.map(([key]) => key),
    ...Object.fromEntries(
      entries.map(([key, value]) => [`s3:RequestObjectTag/${key}`, [value]] as const),
    ),
  };
}
