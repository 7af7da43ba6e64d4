import * as fc from 'fast-check';

import { isBucketName } from '../../src/http/bucket-name';
import { canonicalPercent, decodePercent } from '../../src/http/percent-encoding';
import type { RequestHead } from '../../src/http/request-head';
import { parseRequestHead } from '../../src/http/request-head';
import { S3Error } from '../../src/s3/s3-error';

const DOMAINS = ['localhost', 's3.example.test'];

function parse(
  url: string,
  rawHeaders: readonly string[] = ['Host', '127.0.0.1:9000'],
): RequestHead {
  return parseRequestHead({ method: 'GET', url, rawHeaders }, DOMAINS);
}

function codeOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (error instanceof S3Error) return error.code;
    throw error;
  }
  return 'accepted';
}

describe('the path (G-7): nothing is normalised, everything is decoded once', () => {
  it.each([
    ['/bucket/a/../b', 'a/../b'],
    ['/bucket/../other/k', '../other/k'],
    ['/bucket/%2e%2e/other/k', '../other/k'],
    ['/bucket/%2E%2E%2fother', '../other'],
    ['/bucket/.', '.'],
    ['/bucket/a//b', 'a//b'],
    ['/bucket//a', '/a'],
    ['/bucket///', '//'],
    ['/bucket/a%2Fb', 'a/b'],
    ['/bucket/a%252Fb', 'a%2Fb'],
    ['/bucket/k\\..\\x', 'k\\..\\x'],
    ['/bucket/%5c%5C', '\\\\'],
    ['/bucket/a%00b', 'a\0b'],
    ['/bucket/a+b', 'a+b'],
    ['/bucket/a%20b', 'a b'],
    ['/bucket/%F0%9F%9A%80', '🚀'],
    ['/bucket/%EF%BB%BFbom', '\ufeffbom'],
    ['/bucket/e%CC%81', 'e\u0301'],
    ['/bucket/%C3%A9', '\u00e9'],
    [`/bucket/${Buffer.from('é🚀').toString('latin1')}`, 'é🚀'],
    ['/bucket/k#fragment', 'k#fragment'],
    ['/bucket/__proto__', '__proto__'],
    [`/bucket/${'k'.repeat(1024)}`, 'k'.repeat(1024)],
    [`/bucket/${'%F0%9F%9A%80'.repeat(256)}`, '🚀'.repeat(256)],
  ])('%s', (url, key) => {
    expect(parse(url)).toMatchObject({ bucket: 'bucket', key });
  });

  it.each([
    ['/bucket/%', 'InvalidURI'],
    ['/bucket/%4', 'InvalidURI'],
    ['/bucket/%zz', 'InvalidURI'],
    ['/bucket/%c3', 'InvalidURI'],
    ['/bucket/%c0%af', 'InvalidURI'],
    ['/bucket/%ed%a0%80', 'InvalidURI'],
    ['/bucket/%ff', 'InvalidURI'],
    ['/bucket/\xff', 'InvalidURI'],
    ['/bucket?prefix=%ff', 'InvalidURI'],
    ['/bucket?%zz', 'InvalidURI'],
    ['http://elsewhere/bucket/k', 'InvalidURI'],
    ['*', 'InvalidURI'],
    ['', 'InvalidURI'],
    ['/../etc/passwd', 'InvalidBucketName'],
    ['/%2e%2e/etc', 'InvalidBucketName'],
    ['/bucket%2Fkey', 'InvalidBucketName'],
    ['//bucket/key', 'InvalidBucketName'],
    ['/bu', 'InvalidBucketName'],
    [`/bucket/${'k'.repeat(1025)}`, 'KeyTooLongError'],
    [`/bucket/${'%F0%9F%9A%80'.repeat(256)}k`, 'KeyTooLongError'],
  ])('refuses %s as %s', (url, code) => {
    expect(codeOf(() => parse(url))).toBe(code);
  });

  it('gives back any key that a client encodes', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 80 }), (key) => {
        const encoded = encodeURIComponent(key).replaceAll('%2F', '/');
        expect(parse(`/bucket/${encoded}`).key).toBe(key);
        expect(decodePercent(canonicalPercent(encoded, true))).toBe(key);
      }),
      { numRuns: 1000 },
    );
  });
});

describe('the host (G-8)', () => {
  it.each([
    ['bucket.localhost:9000', '/k', 'bucket', 'k'],
    ['a.dotted.name.s3.example.test', '/k', 'a.dotted.name', 'k'],
    ['BUCKET.LocalHost', '/', 'bucket', null],
    ['bucket.localhost', '//k', 'bucket', '/k'],
    ['localhost:9000', '/bucket/k', 'bucket', 'k'],
    ['s3.example.test', '/bucket', 'bucket', null],
    ['127.0.0.1:9000', '/bucket/', 'bucket', null],
    ['[::1]:9000', '/bucket/k', 'bucket', 'k'],
    ['evil-localhost', '/bucket/k', 'bucket', 'k'],
    ['elsewhere', '/', null, null],
  ])('%s %s', (host, url, bucket, key) => {
    expect(parse(url, ['host', host])).toMatchObject({ bucket, key });
  });

  it('refuses a bucket in the host that is none', () => {
    expect(codeOf(() => parse('/k', ['host', 'b_d.localhost']))).toBe('InvalidBucketName');
    expect(codeOf(() => parse('/k', []))).toBe('InvalidArgument');
  });
});

describe('headers are read from what came, not from what Node made of it', () => {
  it.each([
    'Host',
    'Authorization',
    'x-amz-date',
    'X-Amz-Content-SHA256',
    'Content-Length',
    'x-amz-decoded-content-length',
    'x-amz-copy-source',
  ])('refuses a second %s', (name) => {
    const rawHeaders = ['host', 'localhost', name, '1', name.toLowerCase(), '1'];

    expect(codeOf(() => parse('/', rawHeaders))).toBe('InvalidArgument');
  });

  it('joins others in order', () => {
    const { headers } = parse('/', ['host', 'h', 'X-Amz-Meta-A', '1', 'x-amz-meta-a', '2']);

    expect(headers.get('x-amz-meta-a')).toBe('1,2');
  });

  it('refuses internal headers from outside', () => {
    const rawHeaders = ['host', 'h', 'X-Azimuth-Session', 'x'];

    expect(codeOf(() => parse('/', rawHeaders))).toBe('InvalidArgument');
  });

  it('refuses more than 8 KiB (G-13)', () => {
    const fits = ['host', 'h', 'a', 'x'.repeat(8192 - 9 - 5)];
    const exceeds = ['host', 'h', 'a', 'x'.repeat(8192 - 9 - 4)];

    expect(codeOf(() => parse('/', fits))).toBe('accepted');
    expect(codeOf(() => parse('/', exceeds))).toBe('RequestHeaderSectionTooLarge');
  });

  it('refuses a second X-Amz-… parameter, whatever its case', () => {
    expect(codeOf(() => parse('/?X-Amz-Date=1&X-Amz-Date=2'))).toBe('InvalidArgument');
    expect(parse('/?prefix=1&prefix=2').query.get('prefix')).toBe('1');
  });
});

describe('bucket names', () => {
  it.each(['abc', 'a-b.c', '1bucket', 'a'.repeat(63), '1.2.3', '1.2.3.4.5', '192.168.5.a'])(
    'accepts %s',
    (name) => {
      expect(isBucketName(name)).toBe(true);
    },
  );

  it.each([
    'ab',
    'a'.repeat(64),
    'Bucket',
    'a_b',
    '-ab',
    'ab-',
    '.ab',
    'ab.',
    'a..b',
    'a.-b',
    'a-.b',
    '192.168.5.4',
    'xn--a',
    'sthree-a',
    'a-s3alias',
    'a--ol-s3',
    'bücket',
    'a b',
    'a/b',
    'a\nb',
  ])('refuses %j', (name) => {
    expect(isBucketName(name)).toBe(false);
  });
});

describe('fuzz (table row 42): every input is parsed or refused', () => {
  it('survives 1,000 targets and header lists', () => {
    const latin1 = fc.string({
      unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)),
    });
    const target = fc.oneof(
      latin1.map((text) => `/${text}`),
      fc.string({
        unit: fc.constantFrom('/', '%', '2', 'e', 'F', '.', '?', '&', '=', 'b', '\\', '\0'),
      }),
    );
    const name = fc.oneof(
      fc.constantFrom('host', 'x-amz-date', 'X-Amz-Meta-A', '__proto__'),
      latin1,
    );
    fc.assert(
      fc.property(target, fc.array(fc.tuple(name, latin1)), (url, headers) => {
        codeOf(() => parse(url, ['host', 'bucket.localhost', ...headers.flat()]));
        codeOf(() => parse(url, headers.flat()));
      }),
      { numRuns: 1000 },
    );
  });
});

describe('S3 Control', () => {
  const path = '/v20180820/configuration/publicAccessBlock';
  const account = ['x-amz-account-id', '000000000001'];

  it.each(['127.0.0.1:9000', '000000000001.localhost:9000'])(
    'is told from a bucket by its header, with the account before the host or not: %s',
    (host) => {
      const head = parse(path, ['Host', host, ...account]);
      expect(head).toMatchObject({ bucket: null, key: null, isControl: true });
      expect(parse(path, ['Host', host])).toMatchObject({ isControl: false });
      expect(parse(`${path}/x`, ['Host', host, ...account])).toMatchObject({ isControl: false });
    },
  );
});
