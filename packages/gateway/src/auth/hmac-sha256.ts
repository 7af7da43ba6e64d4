import { Buffer } from 'node:buffer';
import { hash } from 'node:crypto';

const BLOCK_BYTES = 64;
const DIGEST_BYTES = 32;
const TEXT_BYTES_MAX = 4096;

/** Key and text, key and inner digest: what is hashed. Filled anew by each call, never awaited in. */
const inner = Buffer.alloc(BLOCK_BYTES + TEXT_BYTES_MAX);
const outer = Buffer.alloc(BLOCK_BYTES + DIGEST_BYTES);

/**
 * HMAC-SHA-256 in lower-case hex of a text of one byte a character. Every request is signed, and
 * `createHmac` makes three objects for it: with cold caches two plain hashes take less than half.
 *
 * @param key at most 64 bytes: a longer one would have to be hashed first
 * @see RFC 2104
 */
export function hmacSha256Hex(key: Buffer, text: string): string {
  if (key.length > BLOCK_BYTES) throw new RangeError('key longer than a block');
  const bytes =
    text.length <= TEXT_BYTES_MAX ? inner : Buffer.allocUnsafe(BLOCK_BYTES + text.length);
  for (let at = 0; at < BLOCK_BYTES; at += 1) {
    const byte = key[at] ?? 0;
    bytes[at] = byte ^ 0x36;
    outer[at] = byte ^ 0x5c;
  }
  const end = BLOCK_BYTES + bytes.write(text, BLOCK_BYTES, 'latin1');
  outer.write(hash('sha256', bytes.subarray(0, end), 'hex'), BLOCK_BYTES, 'hex');
  return hash('sha256', outer, 'hex');
}
