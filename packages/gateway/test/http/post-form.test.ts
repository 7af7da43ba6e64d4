import fc from 'fast-check';

import type { ByteSource } from '../../src/data-path/byte-source';
import { FORM_BYTES_MAX, parseBoundary, PostFormReader } from '../../src/http/post-form';
import { PulledSource } from '../../src/http/pulled-source';
import type { S3Error } from '../../src/s3/s3-error';

const BOUNDARY = 'xYzZY';

/** Pushes in pieces of a buffer that is used again, as sockets do. */
function sourceOf(bytes: Uint8Array, pieceBytes: number): ByteSource {
  return {
    async readInto(sink) {
      const shared = Buffer.alloc(pieceBytes);
      for (let at = 0; at < bytes.length; at += pieceBytes) {
        const length = Buffer.from(bytes).copy(shared, 0, at, at + pieceBytes);
        await sink(shared.subarray(0, length));
        shared.fill(0xee);
      }
    },
  };
}

interface Field {
  readonly name: string;
  readonly filename?: string;
  readonly content: Buffer;
}

function formOf(fields: readonly Field[], end = `\r\n--${BOUNDARY}--\r\n`): Buffer {
  const parts = fields.flatMap(({ name, filename, content }, index) => [
    Buffer.from(
      `${index === 0 ? '' : '\r\n'}--${BOUNDARY}\r\n` +
        `Content-Disposition: form-data; name="${name}"` +
        `${filename === undefined ? '' : `; filename="${filename}"`}\r\n\r\n`,
    ),
    content,
  ]);
  return Buffer.concat([...parts, Buffer.from(end)]);
}

async function parse(body: Uint8Array, pieceBytes = 700): Promise<Field[]> {
  const form = new PostFormReader(new PulledSource(sourceOf(body, pieceBytes)), BOUNDARY);
  const fields: Field[] = [];
  for (;;) {
    const part = await form.nextPart();
    if (part === null) return fields;
    const pieces: Buffer[] = [];
    for (let piece = await form.nextPiece(); piece !== null; piece = await form.nextPiece()) {
      pieces.push(Buffer.from(piece));
    }
    const content = Buffer.concat(pieces);
    const { name, filename } = part;
    fields.push(filename === null ? { name, content } : { name, filename, content });
  }
}

async function codeOf(outcome: Promise<unknown>): Promise<string> {
  return outcome.then(
    () => 'nothing',
    (error: unknown) => (error as S3Error).code,
  );
}

describe('multipart/form-data', () => {
  it('G-12: reads every form, however it is cut into pieces', async () => {
    const text = fc.stringMatching(/^[a-z0-9-]{1,12}$/);
    // Contents that look like delimiters, or begin like one.
    const content = fc
      .array(
        fc.oneof(
          fc.constantFrom(
            '\r\n',
            '--',
            `\r\n--${BOUNDARY.slice(0, 3)}`,
            '\r',
            `--${BOUNDARY}`,
            'é',
          ),
          fc.string({ maxLength: 5 }),
        ),
        { maxLength: 12 },
      )
      .map((pieces) => Buffer.from(pieces.join('')))
      .filter((bytes) => !`\r\n${bytes.toString('latin1')}`.includes(`\r\n--${BOUNDARY}`));
    const field: fc.Arbitrary<Field> = fc.oneof(
      fc.record({ name: text, content }),
      fc.record({ name: text, filename: text, content }),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(field, { minLength: 1, maxLength: 5 }),
        fc.integer({ min: 1, max: 64 }),
        async (fields, pieceBytes) => {
          const parsed = await parse(formOf(fields), pieceBytes);
          expect(parsed.map(({ name, filename }) => [name, filename])).toEqual(
            fields.map(({ name, filename }) => [name, filename]),
          );
          parsed.forEach((one, index) => {
            expect(one.content.equals(fields[index]!.content)).toBe(true);
          });
        },
      ),
      { numRuns: 150 },
    );
  });

  it.each([
    ['nothing', ''],
    [
      'another boundary',
      '--other\r\nContent-Disposition: form-data; name="a"\r\n\r\nx\r\n--other--',
    ],
    ['something before the first part', `preamble\r\n--${BOUNDARY}--`],
    [
      'a part that does not end',
      `--${BOUNDARY}\r\nContent-Disposition: form-data; name="a"\r\n\r\nx`,
    ],
    ['no name', `--${BOUNDARY}\r\nContent-Disposition: form-data\r\n\r\nx\r\n--${BOUNDARY}--`],
    [
      'two names',
      `--${BOUNDARY}\r\nContent-Disposition: form-data; name="a"; name="b"\r\n\r\nx\r\n--${BOUNDARY}--`,
    ],
    ['no disposition', `--${BOUNDARY}\r\nContent-Type: text/plain\r\n\r\nx\r\n--${BOUNDARY}--`],
    [
      'another disposition',
      `--${BOUNDARY}\r\nContent-Disposition: attachment; name="a"\r\n\r\nx\r\n--${BOUNDARY}--`,
    ],
    ['headers that do not end', `--${BOUNDARY}\r\n${'X: y\r\n'.repeat(2000)}`],
    [
      'no line end behind a delimiter',
      `--${BOUNDARY}x\r\nContent-Disposition: form-data; name="a"\r\n\r\nx`,
    ],
  ])('G-12: %s is malformed', async (_what, body) => {
    expect(await codeOf(parse(Buffer.from(body)))).toBe('MalformedPOSTRequest');
  });

  it('G-12: nothing in a file name becomes a parameter', async () => {
    const head = 'Content-Disposition: form-data; filename="a; name=%22key%22"; name="file"';
    const body = `--${BOUNDARY}\r\n${head}\r\n\r\nx\r\n--${BOUNDARY}--`;
    const [part] = await parse(Buffer.from(body));
    expect(part).toMatchObject({ name: 'file', filename: 'a; name="key"' });
  });

  it.each([
    ['a field', [{ name: 'a', content: Buffer.alloc(FORM_BYTES_MAX) }]],
    [
      'many fields',
      Array.from({ length: 5 }, (_, index) => ({
        name: `f${index}`,
        content: Buffer.alloc(FORM_BYTES_MAX / 4),
      })),
    ],
  ])('limits: %s beyond 1 MiB, without the file', async (_what, fields) => {
    expect(await codeOf(parse(formOf(fields), 65_536))).toBe('MaxPostPreDataLengthExceededError');
  });

  it('limits: a file is not counted, what follows the form is', async () => {
    const file = { name: 'file', filename: 'x', content: Buffer.alloc(2 * FORM_BYTES_MAX, 1) };
    const [parsed] = await parse(formOf([file]), 65_536);
    expect(parsed?.content.length).toBe(2 * FORM_BYTES_MAX);
    const epilogue = `\r\n--${BOUNDARY}--${'x'.repeat(FORM_BYTES_MAX)}`;
    expect(await codeOf(parse(formOf([file], epilogue), 65_536))).toBe(
      'MaxPostPreDataLengthExceededError',
    );
  });

  it.each([
    [undefined, 'PreconditionFailed'],
    ['application/x-www-form-urlencoded', 'PreconditionFailed'],
    ['multipart/form-data', 'MalformedPOSTRequest'],
    ['multipart/form-data; boundary=', 'MalformedPOSTRequest'],
    [`multipart/form-data; boundary=${'b'.repeat(71)}`, 'MalformedPOSTRequest'],
  ])('G-12: the type %s has no boundary', (type, code) => {
    expect(() => parseBoundary(type)).toThrow(expect.objectContaining({ code }) as Error);
  });

  it('reads a boundary with and without quotes', () => {
    expect(parseBoundary('multipart/form-data; boundary=abc')).toBe('abc');
    expect(parseBoundary('Multipart/Form-Data; charset=utf-8; boundary="a b"')).toBe('a b');
  });
});

describe('a source that is pulled', () => {
  it('hands on the end, and an error at any time', async () => {
    const source = new PulledSource(sourceOf(Buffer.from('abc'), 2));
    expect(Buffer.from((await source.next())!).toString()).toBe('ab');
    expect(Buffer.from((await source.next())!).toString()).toBe('c');
    expect(await source.next()).toBeNull();
    expect(await source.next()).toBeNull();

    const failing = new PulledSource({ readInto: () => Promise.reject(new Error('cut')) });
    await expect(failing.next()).rejects.toThrow('cut');
    await expect(failing.next()).rejects.toThrow('cut');
  });

  it('lets a source go that is not read to its end', async () => {
    let ending = 'none';
    const source = new PulledSource({
      async readInto(sink) {
        try {
          for (;;) await sink(Buffer.from('x'));
        } catch (error) {
          ending = (error as S3Error).code;
          throw error;
        }
      },
    });
    await source.next();
    await source.close();
    expect(ending).toBe('CANCELLED');
    await new PulledSource(sourceOf(Buffer.from('x'), 1)).close();
  });
});
