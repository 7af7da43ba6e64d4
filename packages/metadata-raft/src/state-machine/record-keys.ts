import { assert } from '@azimuth/common';

/**
 * Keys of the records of an index group. Their byte order is the order of listings:
 *
 *   k bucket key           current version of a key: head, and links to the older ones
 *   v bucket key ~seq      a version that is not current, newest first
 *   d bucket key ~seq      body of a version: inline bytes or blobs
 *   u bucket key id        an upload          w bucket key time id   the order of ListUploads
 *   p bucket key id n      a part             y bucket key id        set of its part numbers
 *   t bucket key id        an upload that ended less than 24 h ago
 *   b blob                 blob → reference   q kind blob            its pending outbox entry
 *   o kind seq             outbox             n bucket               fence and counts
 *   c command              result             x queue seq            what to forget, oldest first
 *   x p page               pages of results   g placement group      fence
 *   m                      applied index, time, counters (`#` while a snapshot is installed)
 *
 * `bucket` is 16 bytes. `key` is UTF-8 with 00 escaped as 00 FF and ended by 00 01, so that no key
 * is a prefix of another and FF after a prefix is past everything that begins with it. `~seq` is a
 * sequence inverted, 8 bytes.
 */
const TERMINATOR = Buffer.from([0x00, 0x01]);
const PAST_TERMINATOR = Buffer.from([0x00, 0x02]);
const PAST_PREFIX = Buffer.from([0xff]);
const BUCKET_ID_BYTES = 16;

export type AddressKind = 'k' | 'v' | 'd' | 'u' | 'w' | 'p' | 'y' | 't';

/** `bucket` and `key` as they stand in every record key about the key. */
export function encodeAddress(bucketId: string, key: string): Buffer {
  return Buffer.concat([bucketBytes(bucketId), escapeKey(Buffer.from(key)), TERMINATOR]);
}

/** `bucket` and the beginning of a key: what every address under the prefix begins with. */
export function encodeAddressPrefix(bucketId: string, prefix: Uint8Array): Buffer {
  return Buffer.concat([bucketBytes(bucketId), escapeKey(prefix)]);
}

export function recordKey(kind: AddressKind, address: Buffer, suffix?: Buffer): Buffer {
  const key = Buffer.allocUnsafe(1 + address.length + (suffix?.length ?? 0));
  key[0] = kind.charCodeAt(0);
  address.copy(key, 1);
  suffix?.copy(key, 1 + address.length);
  return key;
}

/** The first possible record key after everything that begins with `prefix`. */
export function pastPrefix(prefix: Buffer): Buffer {
  return Buffer.concat([prefix, PAST_PREFIX]);
}

/**
 * The first possible record key after the record of exactly the key that `position`, without a
 * terminator, ends with: a terminator is 00 01, an escape 00 FF.
 */
export function pastKey(position: Buffer): Buffer {
  return Buffer.concat([position, PAST_TERMINATOR]);
}

/** The object key, in UTF-8, of a record key of an address kind. */
export function keyBytesOf(recordKeyBytes: Buffer): Buffer {
  const start = 1 + BUCKET_ID_BYTES;
  let zero = recordKeyBytes.indexOf(0x00, start);
  assert(zero >= 0, 'record key without terminator');
  if (recordKeyBytes[zero + 1] === 0x01) return recordKeyBytes.subarray(start, zero);
  const bytes: number[] = [];
  let from = start;
  while (recordKeyBytes[zero + 1] === 0xff) {
    bytes.push(...recordKeyBytes.subarray(from, zero + 1));
    from = zero + 2;
    zero = recordKeyBytes.indexOf(0x00, from);
    assert(zero >= 0, 'record key without terminator');
  }
  bytes.push(...recordKeyBytes.subarray(from, zero));
  return Buffer.from(bytes);
}

/** Newest first. */
export function invertedSequence(sequence: number): Buffer {
  const bytes = Buffer.allocUnsafe(8);
  bytes.writeBigUInt64BE(0xffff_ffff_ffff_ffffn - BigInt(sequence));
  return bytes;
}

export function uploadSuffix(uploadId: string): Buffer {
  const id = Buffer.from(uploadId, 'latin1');
  return Buffer.concat([Buffer.from([id.length]), id]);
}

export function partSuffix(uploadId: string, partNumber: number): Buffer {
  const suffix = Buffer.allocUnsafe(uploadId.length + 3);
  suffix[0] = uploadId.length;
  suffix.write(uploadId, 1, 'latin1');
  suffix.writeUInt16BE(partNumber, uploadId.length + 1);
  return suffix;
}

export function uploadOrderSuffix(initiatedMs: number, uploadId: string): Buffer {
  const suffix = Buffer.allocUnsafe(6 + uploadId.length);
  suffix.writeUIntBE(initiatedMs, 0, 6);
  suffix.write(uploadId, 6, 'latin1');
  return suffix;
}

/** A record key made of a letter and bytes that are not an address. */
export function plainKey(
  kind: 'b' | 'c' | 'g' | 'm' | 'n' | 'o' | 'q' | 'x',
  rest: Buffer,
): Buffer {
  return Buffer.concat([Buffer.from(kind, 'latin1'), rest]);
}

export function sequenceKey(kind: 'o' | 'x', queue: string, sequence: number): Buffer {
  const key = Buffer.allocUnsafe(10);
  key.write(kind + queue, 0, 'latin1');
  key.writeBigUInt64BE(BigInt(sequence), 2);
  return key;
}

export function bucketBytes(bucketId: string): Buffer {
  const bytes = Buffer.from(bucketId, 'hex');
  assert(bytes.length === BUCKET_ID_BYTES, 'bucket id is not 16 bytes');
  return bytes;
}

function escapeKey(key: Uint8Array): Buffer {
  const bytes = Buffer.from(key.buffer, key.byteOffset, key.byteLength);
  let zero = bytes.indexOf(0x00);
  if (zero < 0) return bytes;
  const pieces: Buffer[] = [];
  let from = 0;
  while (zero >= 0) {
    pieces.push(bytes.subarray(from, zero + 1), PAST_PREFIX);
    from = zero + 1;
    zero = bytes.indexOf(0x00, from);
  }
  pieces.push(bytes.subarray(from));
  return Buffer.concat(pieces);
}
