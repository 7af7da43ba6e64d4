import { canonicalPercent } from '../http/percent-encoding';
import type { Headers } from '../http/request';
import type { RawParameter, RequestHead } from '../http/request-head';

const SIGNATURE_PARAMETER = 'X-Amz-Signature';

/** The text that a SigV4 signature covers, made from the request as it came. */
export function canonicalRequest(
  head: RequestHead,
  signedHeaders: readonly string[],
  payloadHash: string,
): string {
  let headerLines = '';
  for (const name of signedHeaders) {
    headerLines += `${name}:${canonicalValue(head.headers, name)}\n`;
  }
  const path = canonicalPercent(head.rawPath, true);
  const query = canonicalQuery(head.rawQuery);
  return `${head.method}\n${path}\n${query}\n${headerLines}\n${signedHeaders.join(';')}\n${payloadHash}`;
}

/** Sorted by encoded name, then encoded value, in byte order; the signature itself left out. */
export function canonicalQuery(parameters: readonly RawParameter[]): string {
  if (parameters.length === 0) return '';
  const encoded: [string, string][] = [];
  for (const { name, value } of parameters) {
    const encodedName = canonicalPercent(name, false);
    if (encodedName === SIGNATURE_PARAMETER) continue;
    encoded.push([encodedName, canonicalPercent(value, false)]);
  }
  // Encoded text is ASCII: UTF-16 order is byte order.
  encoded.sort(([nameA, valueA], [nameB, valueB]) => {
    if (nameA !== nameB) return nameA < nameB ? -1 : 1;
    return valueA < valueB ? -1 : valueA > valueB ? 1 : 0;
  });
  return encoded.map(([name, value]) => `${name}=${value}`).join('&');
}

/**
 * Trimmed, inner runs of blanks made one. Not `trim()`: values hold one byte a character, and 0xA0
 * may be the last byte of a UTF-8 letter.
 */
function canonicalValue(headers: Headers, name: string): string {
  const value = headers.get(name);
  if (value === undefined) return '';
  let start = 0;
  let end = value.length;
  while (start < end && isBlank(value.charCodeAt(start))) start += 1;
  while (end > start && isBlank(value.charCodeAt(end - 1))) end -= 1;
  const trimmed = value.slice(start, end);
  return trimmed.includes('  ') ? trimmed.replaceAll(/ {2,}/g, ' ') : trimmed;
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}
