import { Buffer } from 'node:buffer';

import { S3Error } from '../s3/s3-error';
import type { PulledSource } from './pulled-source';

/**
 * `multipart/form-data` (RFC 7578) as browsers send it to PostObject, read from front to back: the
 * content of a part is handed out piece by piece, so a file of any size needs no memory.
 *
 * F1 Everything that is not content of a file, delimiters included, is at most `FORM_BYTES_MAX`, so
 *    the length of the request bounds that of the file from below as well as from above.
 * F2 `#buffer` begins where reading stopped: behind a delimiter, or inside a content.
 */
export const FORM_BYTES_MAX = 1024 * 1024;
const PART_HEADER_BYTES_MAX = 8 * 1024;
const PARTS_MAX = 1000;
const BOUNDARY_LENGTH_MAX = 70;

const CRLF = Buffer.from('\r\n');
const END_OF_HEADERS = Buffer.from('\r\n\r\n');
const DASHES = Buffer.from('--');

export interface FormPart {
  readonly name: string;
  /** Null for a field that is no file. */
  readonly filename: string | null;
}

/**
 * The boundary that a Content-Type header names.
 *
 * @throws S3Error PreconditionFailed for another type than multipart/form-data,
 * MalformedPOSTRequest.
 */
export function parseBoundary(contentType: string | undefined): string {
  const [type = ''] = (contentType ?? '').split(';', 1);
  if (type.trim().toLowerCase() !== 'multipart/form-data') {
    throw new S3Error('PreconditionFailed', {
      Condition: 'Bucket POST must be of the enclosure-type multipart/form-data',
    });
  }
  const match = /;[ \t]*boundary=(?:"([^"\r\n]*)"|([^\s;"]*))/i.exec(contentType ?? '');
  const boundary = match?.[1] ?? match?.[2] ?? '';
  if (boundary === '' || boundary.length > BOUNDARY_LENGTH_MAX) throw malformedForm();
  return boundary;
}

export class PostFormReader {
  readonly #source: PulledSource;
  readonly #delimiter: Buffer;
  /** The first delimiter may stand without the line end that belongs to it. */
  #buffer: Buffer = CRLF;
  #formBytes = 0;
  #partsCount = 0;
  #state: 'start' | 'content' | 'between' | 'end' = 'start';
  #isFile = false;

  constructor(source: PulledSource, boundary: string) {
    this.#source = source;
    this.#delimiter = Buffer.from(`\r\n--${boundary}`, 'latin1');
  }

  /**
   * Goes to the next part; null behind the last one, when the rest was read too. Content that was
   * not read is passed over.
   *
   * @throws S3Error MalformedPOSTRequest, MaxPostPreDataLengthExceededError.
   */
  async nextPart(): Promise<FormPart | null> {
    if (this.#state === 'start') await this.#firstDelimiter();
    while (this.#state === 'content') await this.nextPiece();
    if (this.#state === 'end' || (await this.#isLast())) {
      await this.#passEpilogue();
      return null;
    }
    this.#partsCount += 1;
    if (this.#partsCount > PARTS_MAX) throw malformedForm();
    const headers = await this.#partHeaders();
    const part = parseDisposition(headers);
    this.#state = 'content';
    this.#isFile = part.name.toLowerCase() === 'file';
    return part;
  }

  /** The next bytes of the part's content, null at its end. Valid until the next call. */
  async nextPiece(): Promise<Buffer | null> {
    while (this.#state === 'content') {
      const at = this.#buffer.indexOf(this.#delimiter);
      const isWhole = at >= 0;
      // What could be the beginning of a delimiter waits for what follows.
      const length = isWhole ? at : this.#buffer.length - this.#delimiter.length + 1;
      const piece = this.#buffer.subarray(0, Math.max(length, 0));
      this.#buffer = this.#buffer.subarray(piece.length);
      if (isWhole) {
        this.#buffer = this.#buffer.subarray(this.#delimiter.length);
        this.#count(this.#delimiter.length);
        this.#state = 'between';
      }
      if (!this.#isFile) this.#count(piece.length);
      if (piece.length > 0) return piece;
      if (!isWhole) await this.#fill();
    }
    return null;
  }

  /** The whole content of a field, which is text in UTF-8. */
  async readText(): Promise<string> {
    const pieces: Buffer[] = [];
    for (;;) {
      const piece = await this.nextPiece();
      if (piece === null) return decodeText(Buffer.concat(pieces));
      pieces.push(piece);
    }
  }

  async #firstDelimiter(): Promise<void> {
    while (this.#buffer.length < this.#delimiter.length) await this.#fill();
    const beginning = this.#buffer.subarray(0, this.#delimiter.length);
    if (!beginning.equals(this.#delimiter)) throw malformedForm();
    this.#buffer = this.#buffer.subarray(this.#delimiter.length);
    this.#count(this.#delimiter.length);
    this.#state = 'between';
  }

  async #isLast(): Promise<boolean> {
    while (this.#buffer.length < DASHES.length) await this.#fill();
    if (!this.#buffer.subarray(0, DASHES.length).equals(DASHES)) return false;
    this.#state = 'end';
    return true;
  }

  async #partHeaders(): Promise<string> {
    for (;;) {
      const end = this.#buffer.indexOf(END_OF_HEADERS);
      if (end >= 0 && end <= PART_HEADER_BYTES_MAX) {
        const text = this.#buffer.subarray(0, end);
        this.#buffer = this.#buffer.subarray(end + END_OF_HEADERS.length);
        this.#count(end + END_OF_HEADERS.length);
        // Behind a delimiter its line ends, after nothing but blanks.
        const line = text.indexOf(CRLF);
        if (line < 0 || text.subarray(0, line).toString('latin1').trim() !== '') {
          throw malformedForm();
        }
        return decodeText(text.subarray(line + CRLF.length));
      }
      if (this.#buffer.length > PART_HEADER_BYTES_MAX) throw malformedForm();
      await this.#fill();
    }
  }

  async #passEpilogue(): Promise<void> {
    this.#count(this.#buffer.length);
    this.#buffer = Buffer.alloc(0);
    for (;;) {
      const chunk = await this.#source.next();
      if (chunk === null) return;
      this.#count(chunk.length);
    }
  }

  async #fill(): Promise<void> {
    const chunk = await this.#source.next();
    if (chunk === null) throw malformedForm();
    // A copy: the source uses its chunk again.
    this.#buffer = Buffer.concat([this.#buffer, chunk]);
  }

  #count(bytes: number): void {
    this.#formBytes += bytes;
    if (this.#formBytes > FORM_BYTES_MAX) {
      throw new S3Error('MaxPostPreDataLengthExceededError', {
        MaxPostPreDataLength: FORM_BYTES_MAX,
      });
    }
  }
}

function decodeText(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw malformedForm();
  }
}

/** Sticky, so that nothing inside a quoted value is taken for a parameter. */
const PARAMETER = /[ \t]*;[ \t]*([a-z*]+)=(?:"((?:\\"|[^"])*)"|([^\s;"]*))/iy;

/** `form-data; name="…"; filename="…"`. Browsers escape quotes as `%22`, others as `\"`. */
function parseDisposition(headers: string): FormPart {
  const lines = headers.split('\r\n').filter((line) => /^content-disposition[ \t]*:/i.test(line));
  const [line, another] = lines;
  if (line === undefined || another !== undefined) throw malformedForm();
  const type = /^[^:]*:[ \t]*form-data/i.exec(line);
  if (type === null) throw malformedForm();
  const parameters = parseParameters(line, type[0].length);
  const name = parameters.get('name') ?? '';
  if (name === '') throw malformedForm();
  return { name, filename: parameters.get('filename') ?? null };
}

function parseParameters(line: string, from: number): ReadonlyMap<string, string> {
  const parameters = new Map<string, string>();
  let at = from;
  while (line.slice(at).trim() !== '') {
    PARAMETER.lastIndex = at;
    const match = PARAMETER.exec(line);
    const name = match?.[1]?.toLowerCase() ?? '';
    if (match === null || parameters.has(name)) throw malformedForm();
    const value = match[2] ?? match[3] ?? '';
    parameters.set(name, value.replaceAll('\\"', '"').replaceAll('%22', '"'));
    at = PARAMETER.lastIndex;
  }
  return parameters;
}

export function malformedForm(): S3Error {
  return new S3Error('MalformedPOSTRequest');
}
