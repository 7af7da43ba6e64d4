import { createHash } from 'node:crypto';

import { parseCorsConfiguration } from '../../src/s3/cors/cors-configuration';
import { corsAnswer } from '../../src/s3/cors/cors-match';
import { answerPreflight, crossOriginHeaders } from '../../src/s3/cors/cross-origin';
import { BUCKET, Harness } from './harness';
import { refusal } from './refusal';

function configuration(...rules: readonly string[]): string {
  return `<CORSConfiguration>${rules.map((rule) => `<CORSRule>${rule}</CORSRule>`).join('')}</CORSConfiguration>`;
}

function rule(origin: string, method: string, more = ''): string {
  return `<AllowedOrigin>${origin}</AllowedOrigin><AllowedMethod>${method}</AllowedMethod>${more}`;
}

function parse(document: string): ReturnType<typeof parseCorsConfiguration> {
  return parseCorsConfiguration(Buffer.from(document));
}

describe('a CORS configuration', () => {
  it.each([
    [
      configuration(rule('http://*.*.test', 'GET')),
      'InvalidRequest',
      'AllowedOrigin "http://*.*.test" can not have more than one wildcard.',
    ],
    [
      configuration(rule('*', 'GET', '<AllowedHeader>x-*-*</AllowedHeader>')),
      'InvalidRequest',
      'AllowedHeader "x-*-*" can not have more than one wildcard.',
    ],
    [
      configuration(rule('*', 'PATCH')),
      'InvalidRequest',
      'Found unsupported HTTP method in CORS config. Unsupported method is PATCH',
    ],
    [configuration(rule('*', 'get')), 'InvalidRequest', 'Unsupported method is get'],
    [
      configuration(rule('*', 'GET', '<ExposeHeader>x-*</ExposeHeader>')),
      'InvalidRequest',
      'contains wildcard',
    ],
    [
      configuration(rule('*', 'GET', '<ExposeHeader>a&#13;&#10;Set-Cookie: b</ExposeHeader>')),
      'InvalidRequest',
      'contains invalid character',
    ],
    [
      configuration(...Array.from({ length: 101 }, () => rule('*', 'GET'))),
      'InvalidRequest',
      'limit of 100 rules',
    ],
    [configuration(), 'MalformedXML', ''],
    [configuration('<AllowedOrigin>*</AllowedOrigin>'), 'MalformedXML', ''],
    [configuration('<AllowedMethod>GET</AllowedMethod>'), 'MalformedXML', ''],
    [configuration(rule('*', 'GET', '<MaxAgeSeconds>soon</MaxAgeSeconds>')), 'MalformedXML', ''],
    [configuration(rule('*', 'GET', '<Nonsense/>')), 'MalformedXML', ''],
    [configuration(rule('*', 'GET', `<ID>${'x'.repeat(256)}</ID>`)), 'MalformedXML', ''],
  ] as const)('Q-1, advisory 44: %.80s is %s', (document, code, message) => {
    expect(() => parse(document)).toThrow(
      refusal(code, { message: expect.stringContaining(message) as string }),
    );
  });
});

describe('matching', () => {
  it.each([
    ['*', 'http://a.test', true],
    ['http://a.test', 'http://a.test', true],
    ['http://a.test', 'http://A.test', false],
    ['http://*.a.test', 'http://b.a.test', true],
    ['http://*.a.test', 'http://.a.test', true],
    ['http://*.a.test', 'http://a.test', false],
    ['https://*', 'http://a.test', false],
    ['*suffix', 'foo.suffix', true],
    ['start*end', 'startend', true],
    ['start*tend', 'startend', false],
    ['https://a.test', 'https://a.test.evil.test', false],
  ])('Q-1: %s allows %s: %s', (pattern, origin, isAllowed) => {
    const rules = parse(configuration(rule(pattern, 'GET')));
    const answer = corsAnswer(rules, { origin, method: 'GET', headers: [] });
    expect(answer !== null).toBe(isAllowed);
  });

  it('Q-1: the first rule that fits answers', () => {
    const rules = parse(
      configuration(
        rule('http://a.test', 'PUT', '<MaxAgeSeconds>1</MaxAgeSeconds>'),
        rule('http://a.test', 'GET', '<AllowedHeader>x-amz-*</AllowedHeader>'),
        rule(
          '*',
          'GET',
          '<AllowedMethod>HEAD</AllowedMethod><MaxAgeSeconds>30</MaxAgeSeconds>' +
            '<ExposeHeader>ETag</ExposeHeader><ExposeHeader>x-amz-id-2</ExposeHeader>',
        ),
      ),
    );
    const ask = (origin: string, headers: readonly string[] = []): unknown =>
      corsAnswer(rules, { origin, method: 'GET', headers });
    const vary = 'Origin, Access-Control-Request-Headers, Access-Control-Request-Method';
    expect(ask('http://a.test', ['x-amz-date'])).toEqual({
      'access-control-allow-origin': 'http://a.test',
      'access-control-allow-methods': 'GET',
      'access-control-allow-headers': 'x-amz-date',
      'access-control-allow-credentials': 'true',
      vary,
    });
    expect(ask('http://b.test')).toEqual({
      'access-control-allow-origin': '*',
      'access-control-allow-methods': 'GET, HEAD',
      'access-control-expose-headers': 'ETag, x-amz-id-2',
      'access-control-max-age': '30',
      vary,
    });
    expect(ask('http://b.test', ['x-amz-date'])).toBeNull();
  });
});

describe('a preflight', () => {
  const REQUEST = { method: 'OPTIONS', bucket: BUCKET, key: 'a' };
  const ASK = { origin: 'http://a.test', 'access-control-request-method': 'GET' };

  async function made(): Promise<Harness> {
    const harness = await Harness.create();
    await harness.bucket();
    return harness;
  }

  async function allow(harness: Harness, body: string): Promise<void> {
    const headers = { 'content-md5': createHash('md5').update(body).digest('base64') };
    expect(await harness.send('PutBucketCors', { body, headers })).toMatchObject({ status: 200 });
  }

  function ask(
    harness: Harness,
    headers: Readonly<Record<string, string>>,
    bucket: string | null = BUCKET,
  ): ReturnType<typeof answerPreflight> {
    const request = { ...REQUEST, bucket, headers: new Map(Object.entries(headers)) };
    return answerPreflight(request, harness.context.view);
  }

  it('Q-1: is refused with the reason', async () => {
    const harness = await made();
    await expect(ask(harness, {})).rejects.toEqual(
      refusal('BadRequest', {
        message: 'Insufficient information. Origin request header needed.',
      }),
    );
    await expect(ask(harness, { origin: 'http://a.test' })).rejects.toEqual(refusal('BadRequest'));
    await expect(ask(harness, { ...ASK, 'access-control-request-method': 'X' })).rejects.toEqual(
      refusal('BadRequest'),
    );
    await expect(ask(harness, ASK)).rejects.toEqual(
      refusal('AccessForbidden', {
        status: 403,
        message: 'CORSResponse: CORS is not enabled for this bucket.',
      }),
    );
    await expect(ask(harness, ASK, 'no-bucket')).rejects.toEqual(refusal('NoSuchBucket'));
    await expect(ask(harness, ASK, null)).rejects.toEqual(refusal('AccessForbidden'));
    await allow(harness, configuration(rule('http://b.test', 'GET')));
    await expect(ask(harness, ASK)).rejects.toEqual(
      refusal('AccessForbidden', {
        message: expect.stringContaining(
          'CORSResponse: This CORS request is not allowed.',
        ) as string,
      }),
    );
    const many = Array.from({ length: 200 }, (_, index) => `x-${index}`).join(',');
    await expect(ask(harness, { ...ASK, 'access-control-request-headers': many })).rejects.toEqual(
      refusal('BadRequest'),
    );
  });

  it('Q-1: is answered without a signature', async () => {
    const harness = await made();
    const more = '<AllowedHeader>*</AllowedHeader>';
    await allow(harness, configuration(rule('http://a.test', 'GET', more)));
    const headers = { ...ASK, 'access-control-request-headers': 'X-Amz-Date, Range' };
    expect(await ask(harness, headers)).toMatchObject({
      status: 200,
      headers: {
        'access-control-allow-origin': 'http://a.test',
        'access-control-allow-headers': 'x-amz-date, range',
      },
    });
  });

  it('Q-2: answers carry the headers, by what was really asked', async () => {
    const harness = await made();
    await allow(harness, configuration(rule('http://a.test', 'PUT')));
    const { signal } = new AbortController();
    const headersOf = (method: string, headers: Record<string, string>): Promise<unknown> =>
      crossOriginHeaders(
        { ...REQUEST, method, headers: new Map(Object.entries(headers)) },
        harness.context.view,
        signal,
      );
    expect(await headersOf('PUT', { origin: 'http://a.test' })).toMatchObject({
      'access-control-allow-origin': 'http://a.test',
    });
    expect(await headersOf('GET', { origin: 'http://a.test' })).toEqual({});
    expect(await headersOf('PUT', { origin: 'http://b.test' })).toEqual({});
    expect(await headersOf('PUT', {})).toEqual({});
    // A preflight that is refused is told nothing.
    const preflight = { origin: 'http://a.test', 'access-control-request-method': 'PUT' };
    expect(await headersOf('OPTIONS', preflight)).toEqual({});
  });
});
