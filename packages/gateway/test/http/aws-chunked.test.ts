import * as fc from 'fast-check';

import { ChunkSignatureChain } from '../../src/auth/sigv4-streaming';
import type { ByteSource } from '../../src/data-path/byte-source';
import { AwsChunkedSource } from '../../src/http/aws-chunked';
import { S3Error } from '../../src/s3/s3-error';
import type { ChunkedParts, SignerOptions } from '../support/sigv4-signer';
import { chunkedParts, joinChunked, scopeOf, signingKeyOf } from '../support/sigv4-signer';

const SIGNER: SignerOptions = {
  accessKeyId: 'KEY',
  secretKey: 'secret',
  region: 'eu-test-1',
  timestamp: '20260102T030405Z',
};
const SEED = 'a'.repeat(64);
const CRC32 = 'x-amz-checksum-crc32';

/** Delivers `bytes` cut at `cuts`. */
function sourceOf(bytes: Uint8Array, cuts: readonly number[] = []): ByteSource {
  return {
    async readInto(sink) {
      let from = 0;
      for (const to of [...cuts, bytes.length]) {
        if (to > from) await sink(bytes.subarray(from, to));
        from = Math.max(from, to);
      }
    },
  };
}

interface Decoding {
  readonly isSigned: boolean;
  readonly trailers: readonly string[] | null;
  readonly sizeBytes: number;
  readonly cuts?: readonly number[];
  readonly isSinkSlow?: boolean;
}

async function decode(
  bytes: Uint8Array,
  options: Decoding,
): Promise<{ data: Buffer; trailers: ReadonlyMap<string, string> }> {
  const source = new AwsChunkedSource(sourceOf(bytes, options.cuts), {
    sizeBytes: options.sizeBytes,
    signatures: options.isSigned
      ? new ChunkSignatureChain(signingKeyOf(SIGNER), SIGNER.timestamp, scopeOf(SIGNER), SEED)
      : null,
    hasTrailer: options.trailers !== null,
    announcedTrailers: options.trailers ?? [],
  });
  const pieces: Buffer[] = [];
  await source.readInto((chunk) => {
    pieces.push(Buffer.from(chunk));
    return options.isSinkSlow === true ? Promise.resolve() : undefined;
  });
  return { data: Buffer.concat(pieces), trailers: source.trailers };
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof S3Error) return error.code;
    throw error;
  }
  return 'accepted';
}

function partsOf(
  chunkSizes: readonly number[],
  { isSigned, trailers }: Pick<Decoding, 'isSigned' | 'trailers'>,
): { parts: ChunkedParts; data: Buffer } {
  const data = Buffer.from(
    Array.from({ length: chunkSizes.reduce((sum, size) => sum + size, 0) }, (_, at) => at % 251),
  );
  let from = 0;
  const chunks = chunkSizes.map((size) => data.subarray(from, (from += size)));
  const body =
    trailers === null
      ? { chunks }
      : { chunks, trailers: Object.fromEntries(trailers.map((name) => [name, 'AAAAAA=='])) };
  const parts = chunkedParts(body, isSigned ? { options: SIGNER, seed: SEED } : null);
  return { parts, data };
}

const MODES: readonly Pick<Decoding, 'isSigned' | 'trailers'>[] = [
  { isSigned: true, trailers: null },
  { isSigned: true, trailers: [CRC32] },
  { isSigned: false, trailers: [CRC32] },
  { isSigned: false, trailers: [] },
];

describe.each(MODES)('aws-chunked %j', (mode) => {
  it('decodes whatever the pieces in which it arrives, and however slow the sink', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 8192, max: 20_000 }), { maxLength: 3 }),
        fc.integer({ min: 1, max: 9_000 }),
        fc.array(fc.nat(60_000), { maxLength: 30 }),
        fc.boolean(),
        async (sizes, lastSize, cuts, isSinkSlow) => {
          const { parts, data } = partsOf([...sizes, lastSize], mode);
          const bytes = joinChunked(parts);
          const decoded = await decode(bytes, {
            ...mode,
            sizeBytes: data.length,
            cuts: cuts.filter((at) => at < bytes.length).sort((a, b) => a - b),
            isSinkSlow,
          });

          expect(decoded.data.equals(data)).toBe(true);
          expect([...decoded.trailers.keys()]).toEqual(mode.trailers ?? []);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('decodes byte by byte, and an empty body', async () => {
    for (const sizes of [[30], []]) {
      const { parts, data } = partsOf(sizes, mode);
      const bytes = joinChunked(parts);
      const cuts = Array.from(bytes, (_, at) => at);

      expect((await decode(bytes, { ...mode, sizeBytes: data.length, cuts })).data).toEqual(data);
    }
  });

  it('refuses a body that is cut anywhere', async () => {
    const { parts, data } = partsOf([8192, 100], mode);
    const bytes = joinChunked(parts);
    const lastChunkEnds = bytes.lastIndexOf('\r\n0') + 2;
    for (const at of [0, 1, 90, 4000, 8192, bytes.length - 200, lastChunkEnds]) {
      const code = await codeOf(decode(bytes.subarray(0, at), { ...mode, sizeBytes: data.length }));

      expect([at, code]).toEqual([at, 'IncompleteBody']);
    }
  });

  it('refuses another length than was announced (G-5)', async () => {
    const { parts, data } = partsOf([8192, 100], mode);
    const bytes = joinChunked(parts);

    for (const sizeBytes of [0, data.length - 1, data.length + 1]) {
      expect(await codeOf(decode(bytes, { ...mode, sizeBytes }))).toBe('IncompleteBody');
    }
  });

  it.each([
    ['a size that is not hex', '2g'],
    ['a negative size', '-1'],
    ['a size with 0x', '0x10'],
    ['an empty size', ''],
    ['a size of 13 digits', '1000000000000'],
    ['blanks', ' 10'],
  ])('refuses %s', async (_name, size) => {
    const { parts, data } = partsOf([8192], mode);
    parts.chunks[0]!.header = parts.chunks[0]!.header.replace('2000', size);

    const code = await codeOf(decode(joinChunked(parts), { ...mode, sizeBytes: data.length }));

    expect(code).toBe('InvalidRequest');
  });

  it('refuses a header line without end, before it grows', async () => {
    const bytes = Buffer.alloc(100_000, 0x30);

    expect(await codeOf(decode(bytes, { ...mode, sizeBytes: 1, cuts: [1000, 2000] }))).toBe(
      'InvalidRequest',
    );
  });

  it('refuses a chunk that is longer than what is left', async () => {
    const { parts } = partsOf([8192], mode);

    expect(await codeOf(decode(joinChunked(parts), { ...mode, sizeBytes: 8000 }))).toBe(
      'IncompleteBody',
    );
  });

  it('refuses bytes after the end', async () => {
    const { parts, data } = partsOf([10], mode);
    const bytes = Buffer.concat([joinChunked(parts), Buffer.from('more\r\n')]);

    expect(await codeOf(decode(bytes, { ...mode, sizeBytes: data.length }))).toBe(
      'MalformedTrailerError',
    );
  });

  it('survives 1,000 bodies with a few wrong bytes, and never accepts wrong data as signed', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(9_000), fc.nat(255)), { minLength: 1, maxLength: 4 }),
        async (changes) => {
          const { parts, data } = partsOf([8192, 50], mode);
          const bytes = joinChunked(parts);
          for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
          let decoded: Buffer | null = null;
          const code = await codeOf(
            decode(bytes, { ...mode, sizeBytes: data.length }).then((result) => {
              decoded = result.data;
            }),
          );

          if (mode.isSigned && code === 'accepted') expect(decoded).toEqual(data);
        },
      ),
      { numRuns: 250 },
    );
  });
});

describe('signed chunks', () => {
  const mode = { isSigned: true, trailers: [CRC32] };
  const attempt = (change: (parts: ChunkedParts) => void): Promise<string> => {
    const { parts, data } = partsOf([8192, 8192, 100], mode);
    change(parts);
    return codeOf(decode(joinChunked(parts), { ...mode, sizeBytes: data.length }));
  };
  const flip = (data: Uint8Array): Uint8Array =>
    data.map((byte, at) => (at === 5 ? byte ^ 1 : byte));
  const forge = (text: string): string => text.replace(/.$/, (last) => (last === '0' ? '1' : '0'));

  it.each<[string, string, (parts: ChunkedParts) => void]>([
    [
      'a flipped bit',
      'SignatureDoesNotMatch',
      ({ chunks }) => (chunks[1]!.data = flip(chunks[1]!.data)),
    ],
    [
      'a forged chunk signature',
      'SignatureDoesNotMatch',
      ({ chunks }) => (chunks[1]!.header = forge(chunks[1]!.header)),
    ],
    [
      'swapped chunks',
      'SignatureDoesNotMatch',
      ({ chunks }) => chunks.splice(0, 2, chunks[1]!, chunks[0]!),
    ],
    ['a chunk left out', 'SignatureDoesNotMatch', ({ chunks }) => chunks.splice(1, 1)],
    [
      'a chunk sent twice',
      'SignatureDoesNotMatch',
      ({ chunks }) => chunks.splice(1, 0, chunks[0]!),
    ],
    ['no chunk signature', 'SignatureDoesNotMatch', ({ chunks }) => (chunks[0]!.header = '2000')],
    [
      'another extension',
      'SignatureDoesNotMatch',
      ({ chunks }) => (chunks[0]!.header = '2000;x=y'),
    ],
    [
      'the last chunk unsigned (CVE-2021-21390)',
      'SignatureDoesNotMatch',
      ({ chunks }) => (chunks[3]!.header = '0'),
    ],
    [
      'the last chunk forged',
      'SignatureDoesNotMatch',
      ({ chunks }) => (chunks[3]!.header = forge(chunks[3]!.header)),
    ],
    [
      'an empty signature',
      'SignatureDoesNotMatch',
      ({ chunks }) => (chunks[3]!.header = '0;chunk-signature='),
    ],
    [
      'a changed trailer',
      'SignatureDoesNotMatch',
      ({ trailerLines }) => (trailerLines[0] = `${CRC32}:AAAAAQ==`),
    ],
    [
      'a forged trailer signature',
      'SignatureDoesNotMatch',
      (parts) => (parts.trailerSignature = forge(parts.trailerSignature!)),
    ],
    ['no trailer signature', 'MalformedTrailerError', (parts) => (parts.trailerSignature = null)],
    ['a missing trailer (G-6)', 'MalformedTrailerError', ({ trailerLines }) => trailerLines.pop()],
    [
      'a trailer twice',
      'MalformedTrailerError',
      ({ trailerLines }) => trailerLines.push(trailerLines[0]!),
    ],
    [
      'a trailer that was not announced',
      'MalformedTrailerError',
      ({ trailerLines }) => trailerLines.push('x-amz-acl:x'),
    ],
    [
      'a line that is no header',
      'MalformedTrailerError',
      ({ trailerLines }) => (trailerLines[0] = 'nonsense'),
    ],
    ['nothing wrong', 'accepted', () => undefined],
  ])('%s: %s', async (_name, code, change) => {
    expect(await attempt(change)).toBe(code);
  });

  it('refuses a short chunk that is not the last (G-5)', async () => {
    const { parts, data } = partsOf([8191, 8192], mode);

    expect(await codeOf(decode(joinChunked(parts), { ...mode, sizeBytes: data.length }))).toBe(
      'InvalidChunkSizeError',
    );
  });

  it('accepts the empty line that some clients put before the trailer signature', async () => {
    const { parts, data } = partsOf([100], mode);
    const text = joinChunked(parts).toString('latin1').replace('==\r\nx-amz', '==\n\r\nx-amz');
    const bytes = Buffer.from(text, 'latin1');

    expect((await decode(bytes, { ...mode, sizeBytes: data.length })).data).toEqual(data);
  });

  it('accepts unsigned trailers as minio-go ends them, and nothing behind them', async () => {
    const unsigned = { isSigned: false, trailers: [CRC32], sizeBytes: 5 };
    for (const ending of ['\n\r\n\r\n', '\n\r\n', '\r\n\r\n']) {
      const bytes = Buffer.from(`5\r\nhello\r\n0\r\n${CRC32}:NhCmhg==${ending}`);
      const { data, trailers } = await decode(bytes, unsigned);
      expect(data.toString()).toBe('hello');
      expect(trailers.get(CRC32)).toBe('NhCmhg==');
      if (ending === '\n\r\n') continue;
      const more = Buffer.concat([bytes, Buffer.from('\r\n')]);
      expect(await codeOf(decode(more, unsigned))).toBe('MalformedTrailerError');
    }
  });

  it('accepts a body whose very last line end is missing', async () => {
    const { parts, data } = partsOf([100], mode);
    const bytes = joinChunked(parts);

    for (const cut of [1, 2]) {
      const short = bytes.subarray(0, bytes.length - cut);
      expect((await decode(short, { ...mode, sizeBytes: data.length })).data).toEqual(data);
    }
  });
});
