import { isIP, isIPv4 } from 'node:net';

/** Addresses that begin with the same bits. */
export interface IpRange {
  readonly family: 4 | 6;
  readonly bits: bigint;
  readonly prefixLength: number;
}

const FAMILY_BITS = { 4: 32, 6: 128 } as const;
const MAPPED_PREFIX = '::ffff:';

/** `203.0.113.0/24`, `2001:db8::/32`, or one address. Null when malformed. */
export function parseIpRange(text: string): IpRange | null {
  const slash = text.indexOf('/');
  const address = parseAddress(slash < 0 ? text : text.slice(0, slash));
  if (address === null) return null;
  const bitsMax = FAMILY_BITS[address.family];
  const length = slash < 0 ? String(bitsMax) : text.slice(slash + 1);
  if (!/^\d{1,3}$/.test(length) || Number(length) > bitsMax) return null;
  return { ...address, prefixLength: Number(length) };
}

export function isInRange(range: IpRange, address: string): boolean {
  const parsed = parseAddress(address);
  if (parsed?.family !== range.family) return false;
  const shift = BigInt(FAMILY_BITS[range.family] - range.prefixLength);
  return parsed.bits >> shift === range.bits >> shift;
}

/** An IPv4 address that a dual-stack socket shows as `::ffff:192.0.2.1` is the IPv4 address. */
export function normalizedIp(address: string): string {
  const mapped = address.toLowerCase().startsWith(MAPPED_PREFIX)
    ? address.slice(MAPPED_PREFIX.length)
    : '';
  return isIPv4(mapped) ? mapped : address;
}

function parseAddress(text: string): { readonly family: 4 | 6; readonly bits: bigint } | null {
  const address = normalizedIp(text);
  // Zones (`fe80::1%eth0`) are names of this machine, not parts of addresses.
  const family = address.includes('%') ? 0 : isIP(address);
  if (family === 4) return { family: 4, bits: bitsOfV4(address) };
  if (family === 6) return { family: 6, bits: bitsOfV6(address) };
  return null;
}

function bitsOfV4(address: string): bigint {
  return address.split('.').reduce((bits, byte) => (bits << 8n) | BigInt(byte), 0n);
}

function bitsOfV6(address: string): bigint {
  const [head = '', tail] = address.split('::');
  const front = groupsOf(head);
  const back = tail === undefined ? [] : groupsOf(tail);
  const zeros = Array<bigint>(Math.max(0, 8 - front.length - back.length)).fill(0n);
  return [...front, ...zeros, ...back].reduce((bits, group) => (bits << 16n) | group, 0n);
}

function groupsOf(text: string): bigint[] {
  if (text === '') return [];
  return text.split(':').flatMap((group) => {
    if (!group.includes('.')) return [BigInt(`0x${group}`)];
    const v4 = bitsOfV4(group);
    return [v4 >> 16n, v4 & 0xffffn];
  });
}
