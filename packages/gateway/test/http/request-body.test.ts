import type { AuthenticatedRequest } from '../../src/auth/authenticate';
import { clusterRootPrincipal } from '../../src/auth/credentials';
import { parsePayloadMode } from '../../src/auth/payload-mode';
import type { ByteSource } from '../../src/data-path/byte-source';
import type { RequestBody } from '../../src/http/request';
import { limitedSource, openRequestBody } from '../../src/http/request-body';
import { S3Error } from '../../src/s3/s3-error';
import { sha256 } from '../support/sigv4-signer';

const DATA = Buffer.from('some data');
const HASH = sha256(DATA);
const TRAILER_MODE = 'STREAMING-UNSIGNED-PAYLOAD-TRAILER';

function sourceOf(...chunks: readonly Uint8Array[]): ByteSource {
  return {
    async readInto(sink) {
      for (const chunk of chunks) await sink(chunk);
    },
  };
}

function open(
  headers: Readonly<Record<string, string>>,
  mode = 'UNSIGNED-PAYLOAD',
  source = sourceOf(DATA),
): RequestBody {
  const authenticated: AuthenticatedRequest = {
    principal: clusterRootPrincipal('c'),
    payload: parsePayloadMode(mode),
    chunkSignatures: null,
    signature: null,
  };
  return openRequestBody(new Map(Object.entries(headers)), authenticated, source);
}

async function outcomeOf(open: () => RequestBody): Promise<string> {
  try {
    const pieces: Uint8Array[] = [];
    await open().source.readInto((chunk) => {
      pieces.push(chunk);
      return undefined;
    });
    return Buffer.concat(pieces).toString();
  } catch (error) {
    if (error instanceof S3Error) return error.code;
    throw error;
  }
}

describe('the body of a request', () => {
  it('has the length of its header, or none', () => {
    expect(open({ 'content-length': '9' }).sizeBytes).toBe(9);
    expect(open({ 'content-length': '0' }).sizeBytes).toBe(0);
    expect(open({}).sizeBytes).toBeNull();
    expect(open({ 'transfer-encoding': 'chunked' }).sizeBytes).toBeNull();
    const chunked = { 'content-length': '99', 'x-amz-decoded-content-length': '7' };
    expect(open(chunked, TRAILER_MODE).sizeBytes).toBe(7);
  });

  it.each([
    ['the right hash', { 'content-length': '9' }, HASH, 'some data'],
    ['another hash', { 'content-length': '9' }, sha256('x'), 'XAmzContentSHA256Mismatch'],
    ['a hash over a stream', { 'transfer-encoding': 'chunked' }, HASH, 'some data'],
    ['the hash of nothing', { 'content-length': '0' }, sha256(''), ''],
    ['a hash where nothing comes', { 'content-length': '0' }, HASH, 'XAmzContentSHA256Mismatch'],
    ['a hash without a length', {}, HASH, 'XAmzContentSHA256Mismatch'],
    ['the hash of nothing, without a length', {}, sha256(''), ''],
    ['no decoded length (G-5)', { 'content-length': '9' }, TRAILER_MODE, 'MissingContentLength'],
    [
      'a decoded length of words',
      { 'x-amz-decoded-content-length': 'nine' },
      TRAILER_MODE,
      'InvalidArgument',
    ],
    ['a negative one', { 'x-amz-decoded-content-length': '-9' }, TRAILER_MODE, 'InvalidArgument'],
    [
      'a huge one',
      { 'x-amz-decoded-content-length': '9'.repeat(16) },
      TRAILER_MODE,
      'InvalidArgument',
    ],
  ])('%s', async (_name, headers, mode, outcome) => {
    expect(await outcomeOf(() => open(headers, mode))).toBe(outcome);
  });

  it.each([
    ['an unknown trailer (G-6)', { 'x-amz-trailer': 'x-amz-meta-a' }, TRAILER_MODE],
    [
      'two trailers (KC-5)',
      { 'x-amz-trailer': 'x-amz-checksum-crc32,x-amz-checksum-sha1' },
      TRAILER_MODE,
    ],
    [
      'header and trailer (KC-5)',
      { 'x-amz-trailer': 'x-amz-checksum-crc32', 'x-amz-checksum-sha1': 'x' },
      TRAILER_MODE,
    ],
    [
      'a trailer in a mode that has none',
      { 'x-amz-trailer': 'x-amz-checksum-crc32' },
      'UNSIGNED-PAYLOAD',
    ],
    [
      'a trailer in a signed mode that has none',
      { 'x-amz-trailer': 'x-amz-checksum-crc32' },
      'STREAMING-AWS4-HMAC-SHA256-PAYLOAD',
    ],
  ])('refuses %s', async (_name, headers, mode) => {
    const lengths = { 'content-length': '9', 'x-amz-decoded-content-length': '9' };

    expect(await outcomeOf(() => open({ ...lengths, ...headers }, mode))).toBe('InvalidRequest');
  });

  it.each([
    'X-Amz-Checksum-Crc32',
    'x-amz-checksum-xxhash64',
    'x-amz-checksum-xxhash3',
    'X-Amz-Checksum-XXHASH128',
  ])('delivers a trailing %s after the data', async (name) => {
    const wire = `${DATA.length.toString(16)}\r\nsome data\r\n0\r\n${name}: AAAAAA==\r\n\r\n`;
    const headers = { 'x-amz-decoded-content-length': '9', 'x-amz-trailer': ` ${name} ` };
    const body = open(headers, TRAILER_MODE, sourceOf(Buffer.from(wire)));
    await body.source.readInto(() => undefined);

    expect(body.announcedTrailers).toEqual([name.toLowerCase()]);
    expect([...body.trailers()]).toEqual([[name.toLowerCase(), 'AAAAAA==']]);
  });

  it('stops at a limit', async () => {
    const limited = (bytesMax: number): RequestBody => {
      const body = open({ 'transfer-encoding': 'chunked' });
      return { ...body, source: limitedSource(body.source, bytesMax) };
    };

    expect(await outcomeOf(() => limited(9))).toBe('some data');
    expect(await outcomeOf(() => limited(8))).toBe('MaxMessageLengthExceeded');
  });
});
