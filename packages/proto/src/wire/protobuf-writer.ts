const SIZE_BYTES_MIN = 256;
/** Varints of integers below 2^53 take no more. */
const VARINT_BYTES_MAX = 8;
const INT32_LIMIT = 0x8000_0000;

export const WIRE_VARINT = 0;
export const WIRE_BYTES = 2;

/**
 * Writes protobuf from the last byte to the first, so that the length of what is nested is known
 * when it is written. Callers write fields, and the elements of repeated ones, in reverse order.
 */
export class ProtobufWriter {
  #target: Buffer;
  #position: number;

  constructor(sizeBytesExpected: number) {
    this.#target = Buffer.allocUnsafe(Math.max(SIZE_BYTES_MIN, sizeBytesExpected));
    this.#position = this.#target.length;
  }

  /** How much is written; the difference of two is the length of what came between. */
  get sizeBytes(): number {
    return this.#target.length - this.#position;
  }

  /** What was written. */
  finish(): Buffer {
    return this.#target.subarray(this.#position);
  }

  /** A field of a non-negative safe integer, left out when it is zero, as proto3 does. */
  count(field: number, value: number): void {
    if (value === 0) return;
    this.#varint(value);
    this.#varint(field * 8 + WIRE_VARINT);
  }

  bytes(field: number, value: Uint8Array): void {
    if (value.length === 0) return;
    this.#reserve(value.length);
    this.#target.set(value, this.#position);
    this.lengthOf(field, value.length);
  }

  text(field: number, value: string): void {
    if (value.length === 0) return;
    const sizeBytes = Buffer.byteLength(value);
    this.#reserve(sizeBytes);
    this.#target.write(value, this.#position, 'utf8');
    this.lengthOf(field, sizeBytes);
  }

  /** Tag and length of a message whose `sizeBytes` bytes were written just now. */
  lengthOf(field: number, sizeBytes: number): void {
    this.#varint(sizeBytes);
    this.#varint(field * 8 + WIRE_BYTES);
  }

  #varint(value: number): void {
    if (value < 0x80) {
      this.#reserve(1);
      this.#target[this.#position] = value;
      return;
    }
    let sizeBytes = 1;
    for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) sizeBytes += 1;
    this.#reserve(sizeBytes);
    let at = this.#position;
    let rest = value;
    while (rest >= INT32_LIMIT) {
      this.#target[at] = (rest % 0x80) | 0x80;
      at += 1;
      rest = Math.floor(rest / 0x80);
    }
    while (rest >= 0x80) {
      this.#target[at] = (rest & 0x7f) | 0x80;
      at += 1;
      rest >>>= 7;
    }
    this.#target[at] = rest;
  }

  /** Moves the position back by `sizeBytes`, into a larger buffer when it has to. */
  #reserve(sizeBytes: number): void {
    if (this.#position < sizeBytes) {
      const written = this.finish();
      const grown = Buffer.allocUnsafe(2 * this.#target.length + sizeBytes + VARINT_BYTES_MAX);
      this.#position = grown.length - written.length;
      grown.set(written, this.#position);
      this.#target = grown;
    }
    this.#position -= sizeBytes;
  }
}
