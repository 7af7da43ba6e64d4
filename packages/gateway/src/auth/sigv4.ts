import { createHmac, hash, timingSafeEqual } from 'node:crypto';
import { Buffer } from 'node:buffer';

import { hexDigit } from '../http/percent-encoding';

import { hmacSha256Hex } from './hmac-sha256';

export const ALGORITHM = 'AWS4-HMAC-SHA256';
export const EMPTY_SHA256 = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
const SIGNATURE_HEX_LENGTH = 64;
const SIGNING_KEYS_MAX = 1024;

/** `accessKeyId/date/region/service/terminal`; the last four are what a signing key is good for. */
export interface CredentialScope {
  readonly accessKeyId: string;
  readonly date: string;
  readonly region: string;
  readonly service: string;
  readonly terminal: string;
}

export function scopeText(scope: CredentialScope): string {
  return `${scope.date}/${scope.region}/${scope.service}/${scope.terminal}`;
}

/** Null when it has not five parts. The key id may itself hold slashes. */
export function parseCredentialScope(text: string): CredentialScope | null {
  const parts = text.split('/');
  if (parts.length < 5) return null;
  const [date, region, service, terminal] = parts.slice(-4) as [string, string, string, string];
  return { accessKeyId: parts.slice(0, -4).join('/'), date, region, service, terminal };
}

/** @see https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html */
export function deriveSigningKey(secretKey: string, scope: CredentialScope): Buffer {
  const dateKey = hmac(`AWS4${secretKey}`, scope.date);
  const regionKey = hmac(dateKey, scope.region);
  const serviceKey = hmac(regionKey, scope.service);
  return hmac(serviceKey, scope.terminal);
}

/** Signing keys by key id, day, region and service: four HMACs saved on every request. Bounded. */
export class SigningKeyCache {
  readonly #keys = new Map<string, { readonly secretKey: string; readonly key: Buffer }>();

  get(secretKey: string, scope: CredentialScope): Buffer {
    const name = `${scope.accessKeyId}/${scope.date}/${scope.region}/${scope.service}`;
    const cached = this.#keys.get(name);
    // A rotated secret keeps its key id: the cached key must not outlive it.
    if (cached?.secretKey === secretKey) return cached.key;
    if (this.#keys.size >= SIGNING_KEYS_MAX) this.#keys.clear();
    const key = deriveSigningKey(secretKey, scope);
    this.#keys.set(name, { secretKey, key });
    return key;
  }
}

/** Texts hold one byte a character: header values are signed as the bytes that came. */
export function sha256Hex(text: string): string {
  return hash('sha256', Buffer.from(text, 'latin1'), 'hex');
}

export function stringToSign(timestamp: string, scope: string, canonicalRequest: string): string {
  return `${ALGORITHM}\n${timestamp}\n${scope}\n${sha256Hex(canonicalRequest)}`;
}

/** In hex, as requests have it. */
export function sign(signingKey: Buffer, text: string): string {
  return hmacSha256Hex(signingKey, text);
}

/** Compares in constant time; false for anything but 64 lower-case hex digits. */
export function isSignature(expectedHex: string, signatureHex: string): boolean {
  if (signatureHex.length !== SIGNATURE_HEX_LENGTH || !isLowerHex(signatureHex)) return false;
  return timingSafeEqual(Buffer.from(expectedHex, 'latin1'), Buffer.from(signatureHex, 'latin1'));
}

export function isLowerHex(text: string): boolean {
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    if (hexDigit(code) < 0 || (code >= 0x41 && code <= 0x46)) return false;
  }
  return true;
}

const TIMESTAMP_LENGTH = 16;

/** The last one parsed: thousands of requests a second carry the same. */
let lastTimestamp: { readonly text: string; readonly milliseconds: number | null } = {
  text: '',
  milliseconds: null,
};

/** `20260102T030405Z` → milliseconds since the epoch; null when it is anything else. */
export function parseTimestamp(text: string): number | null {
  if (text !== lastTimestamp.text) {
    lastTimestamp = { text, milliseconds: parseNewTimestamp(text) };
  }
  return lastTimestamp.milliseconds;
}

function parseNewTimestamp(text: string): number | null {
  if (text.length !== TIMESTAMP_LENGTH || text[8] !== 'T' || text[15] !== 'Z') return null;
  const year = digits(text, 0, 4);
  const month = digits(text, 4, 6);
  const day = digits(text, 6, 8);
  const hour = digits(text, 9, 11);
  const minute = digits(text, 11, 13);
  const second = digits(text, 13, 15);
  const milliseconds = Date.UTC(year, month - 1, day, hour, minute, second);
  // Date.UTC rolls a 31st of February over; a timestamp that changes on the way is not one.
  return Number.isNaN(milliseconds) || formatTimestamp(milliseconds) !== text ? null : milliseconds;
}

function digits(text: string, from: number, to: number): number {
  let value = 0;
  for (let index = from; index < to; index += 1) {
    const digit = text.charCodeAt(index) - 0x30;
    if (digit < 0 || digit > 9) return Number.NaN;
    value = value * 10 + digit;
  }
  return value;
}

export function formatTimestamp(milliseconds: number): string {
  const text = new Date(milliseconds).toISOString();
  return `${text.slice(0, 4)}${text.slice(5, 7)}${text.slice(8, 13)}${text.slice(14, 16)}${text.slice(17, 19)}Z`;
}

function hmac(key: string | Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}
