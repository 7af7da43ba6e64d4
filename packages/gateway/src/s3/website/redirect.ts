import type { RoutingRule, WebsiteConfiguration } from '../bucket-configuration';

/** What was asked for, as the client addressed it. */
export interface WebsiteLocation {
  readonly scheme: 'http' | 'https';
  /** With the port. */
  readonly host: string;
  /** What stands before the key: `/`, or `/bucket/` when the path names the bucket. */
  readonly basePath: string;
  readonly key: string;
}

export interface Redirect {
  readonly statusCode: number;
  readonly location: string;
}

const MOVED_PERMANENTLY = 301;

/** Where `RedirectAllRequestsTo` sends everything. */
export function redirectOfAll(
  { hostName, protocol }: NonNullable<WebsiteConfiguration['redirectAll']>,
  { scheme, key }: WebsiteLocation,
): Redirect {
  const location = `${protocol ?? scheme}://${hostName}/${encodeKey(key)}`;
  return { statusCode: MOVED_PERMANENTLY, location };
}

/**
 * The redirect of the first routing rule that applies: before the object is looked for when
 * `errorCode` is null, else after that error.
 */
export function redirectByRule(
  rules: readonly RoutingRule[],
  at: WebsiteLocation,
  errorCode: number | null,
): Redirect | null {
  const rule = rules.find(({ condition }) => {
    if ((condition?.errorCode ?? null) !== errorCode) return false;
    return at.key.startsWith(condition?.keyPrefix ?? '');
  });
  return rule === undefined ? null : redirectOf(rule, at);
}

function redirectOf({ condition, redirect }: RoutingRule, at: WebsiteLocation): Redirect {
  const { hostName, protocol, statusCode, replaceKeyPrefixWith, replaceKeyWith } = redirect;
  let path = encodeKey(at.key);
  if (replaceKeyWith !== null) {
    path = encodeText(replaceKeyWith);
  } else if (replaceKeyPrefixWith !== null) {
    const rest = at.key.slice((condition?.keyPrefix ?? '').length);
    path = encodeText(replaceKeyPrefixWith) + encodeKey(rest);
  }
  // Another host is another website, whose bucket its name says.
  const base = hostName === null ? at.basePath : '/';
  return {
    statusCode: statusCode ?? MOVED_PERMANENTLY,
    location: `${protocol ?? at.scheme}://${hostName ?? at.host}${base}${path}`,
  };
}

/** A key as part of a URL: everything but slashes and unreserved characters is escaped. */
export function encodeKey(key: string): string {
  return key.split('/').map(encodeURIComponent).join('/');
}

/**
 * Text of the bucket's owner, who may mean `#` and `?` as such; what cannot stand in a header is
 * escaped, line ends first of all.
 */
export function encodeText(text: string): string {
  return text.replace(/[^\x21-\x7e]+/gu, encodeURIComponent);
}
