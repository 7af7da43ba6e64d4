import { Packr } from 'msgpackr';

/**
 * MessagePack without extensions for classes or shared structures: equal values of equal insertion
 * order encode to equal bytes on every replica. Bytes come back as Buffer views of the input.
 */
const packr = new Packr({ useRecords: false, mapsAsObjects: true, moreTypes: false });

export function encodeRecord(value: unknown): Buffer {
  return packr.pack(value);
}

/** Decodes bytes whose checksum the caller has verified, or that a known peer sent over TLS. */
export function decodeRecord(bytes: Uint8Array): unknown {
  return packr.unpack(bytes);
}
