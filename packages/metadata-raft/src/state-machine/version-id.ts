import { crc32c } from '@node-rs/crc32';

const ALPHABET = '0123456789abcdefghijklmnopqrstuv';
const ALL_ONES = 0xffff_ffff_ffff_ffffn;
const FORMAT = /^[0-9a-v]{32}$/;

/** The id of the one version that an unversioned or suspended bucket writes. */
export const NULL_VERSION_ID = 'null';

/**
 * V-3: 32 characters of base32 over inverted time (8 bytes), inverted log index (8 bytes) and a
 * CRC-32C of both, so that the newest sorts first. Nobody outside may rely on it.
 */
export function encodeVersionId(nowMs: number, sequence: number): string {
  const bytes = Buffer.allocUnsafe(20);
  bytes.writeBigUInt64BE(ALL_ONES - BigInt(nowMs), 0);
  bytes.writeBigUInt64BE(ALL_ONES - BigInt(sequence), 8);
  bytes.writeUInt32BE(crc32c(bytes.subarray(0, 16)), 16);
  let text = '';
  let bits = 0;
  let bitCount = 0;
  for (const byte of bytes) {
    bits = (bits << 8) | byte;
    bitCount += 8;
    while (bitCount >= 5) {
      bitCount -= 5;
      text += ALPHABET[(bits >>> bitCount) & 31] as string;
    }
    bits &= (1 << bitCount) - 1;
  }
  return text;
}

/**
 * The log index inside an id that {@link encodeVersionId} made; null for any other text. Whoever
 * knows the format can make up an id with any index, also with one that no log will ever have.
 */
export function sequenceOfVersionId(versionId: string): number | null {
  if (!FORMAT.test(versionId)) return null;
  const bytes = Buffer.allocUnsafe(20);
  let bits = 0;
  let bitCount = 0;
  let position = 0;
  for (const letter of versionId) {
    bits = (bits << 5) | Number.parseInt(letter, 32);
    bitCount += 5;
    if (bitCount >= 8) {
      bitCount -= 8;
      bytes[position] = bits >>> bitCount;
      position += 1;
      bits &= (1 << bitCount) - 1;
    }
  }
  if (crc32c(bytes.subarray(0, 16)) !== bytes.readUInt32BE(16)) return null;
  const sequence = Number(ALL_ONES - bytes.readBigUInt64BE(8));
  return Number.isSafeInteger(sequence) ? sequence : null;
}
