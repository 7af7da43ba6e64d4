import fc from 'fast-check';

import { ANONYMOUS } from '../../src/auth/principal';
import { BUCKET, Harness } from './harness';

async function ready(): Promise<Harness> {
  const harness = await Harness.create();
  await harness.bucket();
  return harness;
}

/** A text as the bytes of a header: one byte a character. */
function onTheWire(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

/** RFC 2047, as the SDKs decode it. */
function decodeWord(value: string): string {
  const match = /^=\?UTF-8\?([BQ])\?(.*)\?=$/.exec(value);
  if (match === null) return value;
  const [, encoding, text = ''] = match;
  if (encoding === 'B') return Buffer.from(text, 'base64').toString('utf8');
  const bytes = text
    .replaceAll('_', ' ')
    .replace(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return Buffer.from(bytes, 'latin1').toString('utf8');
}

describe('user metadata', () => {
  it.each([
    ['plain', 'plain'],
    ['a "quoted" = value?', 'a "quoted" = value?'],
    ['mostly ASCII é', '=?UTF-8?Q?mostly_ASCII_=C3=A9?='],
    ['ÄÄÕÑ S', `=?UTF-8?B?${Buffer.from('ÄÄÕÑ S').toString('base64')}?=`],
    ['=?é_', '=?UTF-8?Q?=3D=3F=C3=A9=5F?='],
    ['\u{1f600}', '=?UTF-8?B?8J+YgA==?='],
  ])('%s comes back as %s', async (value, shown) => {
    const harness = await ready();
    await harness.put('k', 'x', { headers: { 'x-amz-meta-a': onTheWire(value) } });
    for (const name of ['GetObject', 'HeadObject']) {
      const { headers } = await harness.send(name, { key: 'k' });
      expect(headers['x-amz-meta-a']).toBe(shown);
    }
  });

  it('bytes that are no UTF-8 come back as they came', async () => {
    const harness = await ready();
    await harness.put('k', 'x', { headers: { 'x-amz-meta-a': 'Hello World\u00e9' } });
    expect((await harness.get('k')).headers['x-amz-meta-a']).toBe('Hello World\u00e9');
  });

  it('every text survives', async () => {
    const harness = await ready();
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'grapheme', maxLength: 40 }), async (value) => {
        // An encoded word stays one, so it cannot be told from a text that looks like it.
        fc.pre(!value.startsWith('=?') && !/[\u0000-\u001f\u007f]/.test(value));
        await harness.put('k', 'x', { headers: { 'x-amz-meta-a': onTheWire(value) } });
        const shown = (await harness.get('k')).headers['x-amz-meta-a']!;
        expect(decodeWord(shown)).toBe(value);
        expect(/^[\u0020-\u007e]*$/.test(shown)).toBe(true);
      }),
      { numRuns: 100 },
    );
  });

  it('G-13: 2 KB of names and values as they are stored', async () => {
    const harness = await ready();
    const put = (value: string): ReturnType<Harness['put']> =>
      harness.put('k', 'x', { headers: { 'x-amz-meta-a': onTheWire(value) } });
    expect(await put('é'.repeat(1023))).toMatchObject({ status: 200 });
    expect(await put('é'.repeat(1024))).toMatchObject({
      status: 400,
      code: 'MetadataTooLarge',
      detail: { Size: 2049, MaxSizeAllowed: 2048 },
    });
  });
});

describe('the website redirect location', () => {
  const REDIRECT = 'x-amz-website-redirect-location';

  it('Q-3: is kept and returned', async () => {
    const harness = await ready();
    for (const location of ['/other', 'http://example.com/', 'https://example.com/x?y']) {
      await harness.put('k', 'x', { headers: { [REDIRECT]: location } });
      expect((await harness.get('k')).headers[REDIRECT]).toBe(location);
    }
  });

  it.each(['other', 'ftp://example.com', 'javascript:x', `/${'x'.repeat(2048)}`])(
    'Q-3: refuses %s',
    async (location) => {
      const harness = await ready();
      const reply = await harness.put('k', 'x', { headers: { [REDIRECT]: location } });
      expect(reply).toMatchObject({ status: 400, code: 'InvalidRedirectLocation' });
    },
  );

  it('V-20: is not copied, and changes an object that is copied onto itself', async () => {
    const harness = await ready();
    await harness.put('k', 'x', { headers: { [REDIRECT]: '/a' } });
    const source = { 'x-amz-copy-source': `${BUCKET}/k` };
    await harness.send('CopyObject', { key: 'copy', headers: source });
    expect((await harness.get('copy')).headers).not.toHaveProperty(REDIRECT);
    const onto = { key: 'k', headers: { ...source, [REDIRECT]: '/b' } };
    expect(await harness.send('CopyObject', onto)).toMatchObject({ status: 200 });
    expect((await harness.get('k')).headers[REDIRECT]).toBe('/b');
  });
});

describe('response-* parameters', () => {
  const OVERRIDES = {
    'response-content-type': 'text/html',
    'response-content-language': 'fr',
    'response-expires': 'Thu, 01 Dec 1994 16:00:00 GMT',
    'response-cache-control': 'no-store',
    'response-content-disposition': 'attachment; filename="x"',
    'response-content-encoding': 'identity',
  };

  it.each(Object.entries(OVERRIDES))('G-10: %s replaces its header', async (name, value) => {
    const harness = await ready();
    await harness.put('k', 'x');
    const header = name.slice('response-'.length);
    for (const operation of ['GetObject', 'HeadObject']) {
      const reply = await harness.send(operation, { key: 'k', query: { [name]: value } });
      expect(reply.headers[header]).toBe(value);
    }
  });

  it('G-10: not for anonymous requests', async () => {
    const harness = await ready();
    await harness.put('k', 'x');
    for (const [name, value] of Object.entries(OVERRIDES)) {
      const call = { key: 'k', query: { [name]: value }, principal: ANONYMOUS };
      expect(await harness.send('GetObject', call)).toMatchObject({
        status: 400,
        code: 'InvalidRequest',
      });
    }
    expect(await harness.send('GetObject', { key: 'k', principal: ANONYMOUS })).toMatchObject({
      status: 200,
    });
  });
});
