import { StoreError } from '@azimuth/common';

import { WIRE_BYTES, WIRE_VARINT } from './protobuf-writer';

const WIRE_FIXED64 = 1;
const WIRE_FIXED32 = 5;
const VARINT_BYTES_MAX = 10;

/**
 * Reads protobuf from untrusted bytes. Everything it returns lies within them.
 *
 * All methods throw StoreError INVALID_ARGUMENT when the bytes are not protobuf, and for integers
 * that are not safe.
 */
export class ProtobufReader {
  readonly #source: Buffer;
  readonly #end: number;
  #position: number;

  constructor(source: Buffer, start = 0, end = source.length) {
    this.#source = source;
    this.#position = start;
    this.#end = end;
  }

  /** The next tag, field number times 8 plus wire type; 0 at the end. */
  tag(): number {
    if (this.#position >= this.#end) return 0;
    const tag = this.count();
    if (tag < 8) throw malformed('tag');
    return tag;
  }

  count(): number {
    const first = this.#byte();
    if (first < 0x80) return first;
    let value = first & 0x7f;
    let factor = 0x80;
    for (let length = 1; length < VARINT_BYTES_MAX; length += 1) {
      const byte = this.#byte();
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) {
        if (!Number.isSafeInteger(value)) throw malformed('integer');
        return value;
      }
      factor *= 0x80;
    }
    throw malformed('varint');
  }

  /** A view of the source. */
  bytes(): Buffer {
    const end = this.#lengthEnd();
    const value = this.#source.subarray(this.#position, end);
    this.#position = end;
    return value;
  }

  text(): string {
    const end = this.#lengthEnd();
    const value = this.#source.toString('utf8', this.#position, end);
    this.#position = end;
    return value;
  }

  message(): ProtobufReader {
    const end = this.#lengthEnd();
    const start = this.#position;
    this.#position = end;
    return new ProtobufReader(this.#source, start, end);
  }

  /** Passes a field that this version does not know. */
  skip(tag: number): void {
    switch (tag % 8) {
      case WIRE_VARINT:
        this.#skipVarint();
        return;
      case WIRE_FIXED64:
        this.#advance(8);
        return;
      case WIRE_BYTES:
        this.#position = this.#lengthEnd();
        return;
      case WIRE_FIXED32:
        this.#advance(4);
        return;
      default:
        throw malformed('wire type');
    }
  }

  #byte(): number {
    if (this.#position >= this.#end) throw malformed('end');
    const byte = this.#source[this.#position] ?? 0;
    this.#position += 1;
    return byte;
  }

  #skipVarint(): void {
    for (let length = 0; length < VARINT_BYTES_MAX; length += 1) if (this.#byte() < 0x80) return;
    throw malformed('varint');
  }

  #advance(sizeBytes: number): void {
    if (this.#end - this.#position < sizeBytes) throw malformed('end');
    this.#position += sizeBytes;
  }

  #lengthEnd(): number {
    const sizeBytes = this.count();
    if (this.#end - this.#position < sizeBytes) throw malformed('length');
    return this.#position + sizeBytes;
  }
}

function malformed(what: string): StoreError {
  return new StoreError('INVALID_ARGUMENT', { reason: 'not protobuf', what });
}
