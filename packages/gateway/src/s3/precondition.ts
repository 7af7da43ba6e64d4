import { required } from '@azimuth/common';
import type { VersionHead, WritePrecondition } from '@azimuth/proto';

import type { Headers } from '../http/request';
import { parseHttpDate, wholeSeconds } from './http-date';
import { S3Error } from './s3-error';

/** Entity tags without quotes; `*` stands alone and matches whatever exists. */
export interface ReadConditions {
  readonly ifMatch: readonly EntityTag[] | null;
  readonly ifNoneMatch: readonly EntityTag[] | null;
  readonly ifModifiedSinceMs: number | null;
  readonly ifUnmodifiedSinceMs: number | null;
}

export interface EntityTag {
  readonly value: string;
  readonly isWeak: boolean;
}

export type ReadOutcome =
  | { readonly kind: 'proceed' }
  /** 304, when the operation is a GET or HEAD. `condition` is the header that decided. */
  | { readonly kind: 'not-modified'; readonly condition: ConditionName }
  | { readonly kind: 'failed'; readonly condition: ConditionName };

export type ConditionName =
  'If-Match' | 'If-None-Match' | 'If-Modified-Since' | 'If-Unmodified-Since';

/** `prefix` is empty, or `x-amz-copy-source-` for the conditions on the source of a copy. */
export function parseReadConditions(headers: Headers, prefix = ''): ReadConditions {
  return {
    ifMatch: parseEntityTags(headers.get(`${prefix}if-match`)),
    ifNoneMatch: parseEntityTags(headers.get(`${prefix}if-none-match`)),
    ifModifiedSinceMs: parseHttpDate(headers.get(`${prefix}if-modified-since`)),
    ifUnmodifiedSinceMs: parseHttpDate(headers.get(`${prefix}if-unmodified-since`)),
  };
}

/**
 * The truth table C-1, which is the order of RFC 9110, section 13.2.2: If-Match silences
 * If-Unmodified-Since, and If-None-Match silences If-Modified-Since. Whole seconds (C-3).
 */
export function evaluateReadConditions(
  conditions: ReadConditions,
  version: Pick<VersionHead, 'etag' | 'lastModifiedMs'>,
  nowMs: number,
): ReadOutcome {
  const lastModifiedMs = wholeSeconds(version.lastModifiedMs);
  const { ifMatch, ifNoneMatch, ifModifiedSinceMs, ifUnmodifiedSinceMs } = conditions;
  if (ifMatch !== null) {
    if (!ifMatch.some((tag) => matches(tag, version.etag, 'strong'))) {
      return { kind: 'failed', condition: 'If-Match' };
    }
  } else if (ifUnmodifiedSinceMs !== null && lastModifiedMs > wholeSeconds(ifUnmodifiedSinceMs)) {
    return { kind: 'failed', condition: 'If-Unmodified-Since' };
  }
  if (ifNoneMatch !== null) {
    if (ifNoneMatch.some((tag) => matches(tag, version.etag, 'weak'))) {
      return { kind: 'not-modified', condition: 'If-None-Match' };
    }
  } else if (
    ifModifiedSinceMs !== null &&
    ifModifiedSinceMs <= nowMs &&
    lastModifiedMs <= wholeSeconds(ifModifiedSinceMs)
  ) {
    return { kind: 'not-modified', condition: 'If-Modified-Since' };
  }
  return { kind: 'proceed' };
}

function matches(tag: EntityTag, etag: string, comparison: 'strong' | 'weak'): boolean {
  if (tag.isWeak && comparison === 'strong') return false;
  return tag.value === '*' || tag.value === etag;
}

/** Commas inside quotes belong to the tag; tags without quotes are taken as well (C-3). */
export function parseEntityTags(header: string | undefined): readonly EntityTag[] | null {
  if (header === undefined || header.trim() === '') return null;
  const tags: EntityTag[] = [];
  for (const match of header.matchAll(/(W\/)?(?:"([^"]*)"|([^\s,"]+))/g)) {
    tags.push({ value: match[2] ?? match[3] ?? '', isWeak: match[1] !== undefined });
  }
  return tags;
}

/** Headers that a read understands and a write does not (AWS: NotImplemented). */
const READ_ONLY_CONDITIONS = ['if-modified-since', 'if-unmodified-since'] as const;

const CONDITIONS = [
  'if-match',
  'if-none-match',
  ...READ_ONLY_CONDITIONS,
  // Of directory buckets, for AbortMultipartUpload.
  'x-amz-if-match-initiated-time',
] as const;

/**
 * For a write that knows no conditions: to ignore one would be to change what the client wants
 * unchanged.
 *
 * @throws S3Error NotImplemented with the header named.
 */
export function refuseConditions(headers: Headers): void {
  refuseAny(CONDITIONS, headers);
}

function refuseAny(names: readonly string[], headers: Headers): void {
  for (const name of names) {
    if (headers.has(name)) throw new S3Error('NotImplemented', { Header: name });
  }
}

/**
 * The condition of a write, to be evaluated inside apply (C-5, C-6, C-8). Weak tags never match
 * strongly, so they are left out of If-Match.
 *
 * @throws S3Error NotImplemented for conditions on dates.
 */
export function parseWritePrecondition(headers: Headers): WritePrecondition | null {
  refuseAny(READ_ONLY_CONDITIONS, headers);
  const ifMatch = parseEntityTags(headers.get('if-match'));
  const ifNoneMatch = parseEntityTags(headers.get('if-none-match'));
  if (ifMatch === null && ifNoneMatch === null) return null;
  return {
    ifMatch: ifMatch?.filter((tag) => !tag.isWeak).map((tag) => tag.value) ?? null,
    ifNoneMatch: ifNoneMatch?.map((tag) => tag.value) ?? null,
  };
}

/**
 * Fails fast, before a body is read and before `100 Continue` (G-15), when a write would be refused
 * anyway. Only an optimisation: what counts is evaluated inside apply (C-8).
 */
export function refuseEarly(precondition: WritePrecondition, current: VersionHead | null): void {
  const etag = current === null || current.isDeleteMarker ? null : current.etag;
  if (precondition.ifMatch !== null) {
    if (etag === null) throw new S3Error('NoSuchKey');
    if (!contains(precondition.ifMatch, etag)) throw preconditionFailed('If-Match');
  }
  if (precondition.ifNoneMatch !== null && etag !== null) {
    if (contains(precondition.ifNoneMatch, etag)) throw preconditionFailed('If-None-Match');
  }
}

function contains(tags: readonly string[], etag: string): boolean {
  return tags.includes('*') || tags.includes(etag);
}

export function preconditionFailed(condition: string): S3Error {
  return new S3Error('PreconditionFailed', { Condition: condition });
}

/** If-Range (RFC 9110, section 13.1.5): true when a Range header still applies. */
export function isRangeFresh(
  header: string | undefined,
  version: Pick<VersionHead, 'etag' | 'lastModifiedMs'>,
): boolean {
  if (header === undefined) return true;
  const dateMs = parseHttpDate(header);
  if (dateMs !== null) return wholeSeconds(version.lastModifiedMs) === wholeSeconds(dateMs);
  const tags = parseEntityTags(header);
  if (tags === null || tags.length !== 1) return false;
  return matches(required(tags[0], 'entity tag'), version.etag, 'strong');
}
