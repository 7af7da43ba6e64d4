import { Buffer, isUtf8 } from 'node:buffer';

import { S3Error } from '../s3/s3-error';

const PERCENT = 0x25;
const SLASH = 0x2f;

/** RFC 3986 unreserved: what SigV4 leaves as it is. Index is the byte. */
const IS_UNRESERVED: readonly boolean[] = Array.from({ length: 256 }, (_, byte) =>
  /[A-Za-z0-9\-._~]/.test(String.fromCharCode(byte)),
);
const ESCAPES: readonly string[] = Array.from(
  { length: 256 },
  (_, byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`,
);

/** True when nothing in `text` needs decoding or encoding: the common case of the hot path. */
function isPlain(text: string, keepsSlash: boolean): boolean {
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    if (IS_UNRESERVED[code] !== true && !(keepsSlash && code === SLASH)) return false;
  }
  return true;
}

/**
 * The bytes of a part of the request target, decoded once. `text` holds one byte a character, as
 * Node hands the target out. `+` stays `+`: it never means a space in SigV4.
 *
 * @throws S3Error InvalidURI when an escape is not two hex digits.
 */
function decodeBytes(text: string): Buffer {
  const bytes = Buffer.allocUnsafe(text.length);
  let length = 0;
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    if (code !== PERCENT) {
      bytes[length] = code;
    } else {
      const high = hexDigit(text.charCodeAt(index + 1));
      const low = hexDigit(text.charCodeAt(index + 2));
      if (high < 0 || low < 0) throw new S3Error('InvalidURI');
      bytes[length] = high * 16 + low;
      index += 2;
    }
    length += 1;
  }
  return bytes.subarray(0, length);
}

/** Value of a hex digit's character code, or -1. NaN (past the end) gives -1. */
export function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  if (code >= 0x41 && code <= 0x46) return code - 0x41 + 10;
  if (code >= 0x61 && code <= 0x66) return code - 0x61 + 10;
  return -1;
}

/**
 * Decodes once, to exact UTF-8. Nothing is normalised: `a//b`, `a/../b` and `%2e%2e` keep their
 * bytes.
 *
 * @throws S3Error InvalidURI when an escape or the UTF-8 is broken.
 */
export function decodePercent(text: string): string {
  if (isPlain(text, true)) return text;
  const bytes = decodeBytes(text);
  if (!isUtf8(bytes)) throw new S3Error('InvalidURI');
  return bytes.toString('utf8');
}

/** What SigV4 signs for a raw part of the target: decoded once, then encoded once. */
export function canonicalPercent(text: string, keepsSlash: boolean): string {
  if (isPlain(text, keepsSlash)) return text;
  const bytes = decodeBytes(text);
  let result = '';
  for (const byte of bytes) {
    const isKept = IS_UNRESERVED[byte] === true || (keepsSlash && byte === SLASH);
    result += isKept ? String.fromCharCode(byte) : (ESCAPES[byte] ?? '');
  }
  return result;
}
