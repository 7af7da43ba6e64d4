import type { ListPosition } from '@azimuth/proto';
import { z } from 'zod';

import type { Query } from '../http/request';
import { invalidArgument } from './s3-error';

export const PAGE_LENGTH_MAX = 1000;
const INT32_MAX = 2_147_483_647;

/** What every listing of keys takes. */
export interface ListingParameters {
  readonly prefix: string;
  /** Empty for none. */
  readonly delimiter: string;
  /** Keys and common prefixes together, at most PAGE_LENGTH_MAX. */
  readonly limit: number;
  /** `url` when the client asked for encoded keys. */
  readonly encodingType: 'url' | null;
  /** Writes a key as the client asked for it. */
  readonly encode: (key: string) => string;
}

/** `limitName` is the query parameter: `max-keys` or `max-uploads`. */
export function parseListingParameters(
  query: Query,
  limitName: 'max-keys' | 'max-uploads',
): ListingParameters {
  const encodingType = parseEncodingType(query);
  return {
    prefix: query.get('prefix') ?? '',
    delimiter: query.get('delimiter') ?? '',
    limit: parseLimit(query, limitName),
    encodingType,
    encode: encodingType === 'url' ? encodeKey : (key) => key,
  };
}

const ARGUMENT_NAMES = {
  'max-keys': 'maxKeys',
  'max-uploads': 'max-uploads',
  'max-parts': 'max-parts',
  'part-number-marker': 'part-number-marker',
} as const;

/** A page length, clamped silently to PAGE_LENGTH_MAX (K-2). */
export function parseLimit(query: Query, name: 'max-keys' | 'max-uploads' | 'max-parts'): number {
  return Math.min(parseCount(query, name, PAGE_LENGTH_MAX), PAGE_LENGTH_MAX);
}

/** A query parameter that is an integer between 0 and 2147483647. */
export function parseCount(
  query: Query,
  name: keyof typeof ARGUMENT_NAMES,
  whenAbsent: number,
): number {
  const text = query.get(name);
  if (text === undefined || text === '') return whenAbsent;
  const count = /^\+?[0-9]+$/.test(text) ? Number(text) : Number.NaN;
  if (!(count <= INT32_MAX)) {
    const argument = ARGUMENT_NAMES[name];
    throw invalidArgument(
      `Argument ${argument} must be an integer between 0 and ${INT32_MAX}`,
      argument,
      text,
    );
  }
  return count;
}

function parseEncodingType(query: Query): 'url' | null {
  const text = query.get('encoding-type');
  if (text === undefined || text === '') return null;
  if (text.toLowerCase() !== 'url') {
    throw invalidArgument('Invalid Encoding Method specified in Request', 'encoding-type', text);
  }
  return 'url';
}

/**
 * Encodes a key for `encoding-type=url` (K-6): UTF-8, `/` as it is. A blank is `%20`, which every
 * decoder takes; `+` would stay a plus with those that are not made for forms.
 */
export function encodeKey(key: string): string {
  return encodeURIComponent(key)
    .replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll('%2F', '/');
}

/**
 * The common prefix that a key falls under, delimiter included; null when it is listed by itself.
 * Only for keys that begin with `prefix`.
 */
export function commonPrefixOf(key: string, prefix: string, delimiter: string): string | null {
  if (delimiter === '' || !key.startsWith(prefix)) return null;
  const at = key.indexOf(delimiter, prefix.length);
  return at === -1 ? null : key.slice(0, at + delimiter.length);
}

/**
 * Where a listing continues after a marker. A marker inside a rolled-up prefix, or the prefix
 * itself, skips all of that prefix: it was on an earlier page, or is not greater than the marker
 * (K-3).
 */
export function positionAfter(
  marker: string,
  { prefix, delimiter }: Pick<ListingParameters, 'prefix' | 'delimiter'>,
): ListPosition | null {
  if (marker === '') return null;
  const rolledUp = commonPrefixOf(marker, prefix, delimiter);
  return rolledUp === null ? { key: marker, isPrefix: false } : { key: rolledUp, isPrefix: true };
}

const TOKEN_SCHEMA = z.tuple([z.literal(1), z.boolean(), z.string()]);

/** Continuation tokens are opaque: a version, and the position. */
export function encodeToken(position: ListPosition): string {
  const token: z.infer<typeof TOKEN_SCHEMA> = [1, position.isPrefix, position.key];
  return Buffer.from(JSON.stringify(token)).toString('base64url');
}

/** @throws S3Error InvalidArgument for a token that this gateway never made (K-5). */
export function decodeToken(token: string): ListPosition {
  const json = Buffer.from(token, 'base64url').toString();
  let content: unknown = null;
  try {
    content = JSON.parse(json);
  } catch {
    // Not JSON: refused below like every other token that is not ours.
  }
  const parsed = TOKEN_SCHEMA.safeParse(content);
  if (!parsed.success) {
    throw invalidArgument(
      'The continuation token provided is incorrect',
      'continuation-token',
      token,
    );
  }
  const [, isPrefix, key] = parsed.data;
  return { key, isPrefix };
}

/** Ascending order of keys is the order of their UTF-8 bytes (K-1), not of UTF-16 code units. */
export function compareKeys(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let position = 0; position < length; position += 1) {
    const unitA = a.charCodeAt(position);
    const unitB = b.charCodeAt(position);
    if (unitA !== unitB) return utf8Rank(unitA) - utf8Rank(unitB);
  }
  return a.length - b.length;
}

/** Surrogates stand for code points above all that one unit can hold. */
function utf8Rank(unit: number): number {
  if (unit < 0xd800) return unit;
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800;
}
