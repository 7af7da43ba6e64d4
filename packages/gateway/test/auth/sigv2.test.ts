import { createHmac } from 'node:crypto';

import { Authenticator } from '../../src/auth/authenticate';
import { clusterRootPrincipal, singleCredentialStore } from '../../src/auth/credentials';
import { stringToSignV2, parseSignatureV2 } from '../../src/auth/sigv2';
import { parseRequestHead } from '../../src/http/request-head';
import type { RequestHead } from '../../src/http/request-head';
import { S3Error } from '../../src/s3/s3-error';

/** https://docs.aws.amazon.com/AmazonS3/latest/userguide/RESTAuthentication.html */
const KEY = 'AKIAIOSFODNN7EXAMPLE';
const SECRET = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY';
const NOW = Date.UTC(2007, 2, 27, 19, 36, 42);

const credential = {
  accessKeyId: KEY,
  secretKey: SECRET,
  principal: clusterRootPrincipal('c'),
};
const authenticator = new Authenticator(singleCredentialStore(credential), 'us-east-1', {
  allowsSignatureV2: true,
});

function headOf(
  method: string,
  url: string,
  headers: Readonly<Record<string, string>>,
): RequestHead {
  const rawHeaders = Object.entries(headers).flat();
  return parseRequestHead({ method, url, rawHeaders }, ['s3.us-west-1.amazonaws.com']);
}

async function codeOf(head: RequestHead, nowMs = NOW, verifier = authenticator): Promise<string> {
  try {
    return (await verifier.authenticate(head, nowMs)).principal.kind;
  } catch (error) {
    if (error instanceof S3Error) return error.code;
    throw error;
  }
}

const HOST = 'awsexamplebucket1.us-west-1.s3.amazonaws.com';
const date = (text: string): Readonly<Record<string, string>> => ({ date: text });

describe('the examples of the AWS documentation', () => {
  const virtual = { host: 'awsexamplebucket1.s3.us-west-1.amazonaws.com' };

  it.each([
    [
      'an object GET',
      'GET',
      '/photos/puppy.jpg',
      { ...virtual, ...date('Tue, 27 Mar 2007 19:36:42 +0000') },
      'qgk2+6Sv9/oM7G3qLEjTH1a1l1g=',
    ],
    [
      'an object PUT',
      'PUT',
      '/photos/puppy.jpg',
      {
        ...virtual,
        'content-type': 'image/jpeg',
        'content-length': '94328',
        ...date('Tue, 27 Mar 2007 21:15:45 +0000'),
      },
      'iqRzw+ileNPu1fhspnRs8nOjjIA=',
    ],
    [
      'a list',
      'GET',
      '/?prefix=photos&max-keys=50&marker=puppy',
      { ...virtual, ...date('Tue, 27 Mar 2007 19:42:41 +0000') },
      'm0WP8eCtspQl5Ahe6L1SozdX9YA=',
    ],
    [
      'a fetch of an ACL',
      'GET',
      '/?acl',
      { ...virtual, ...date('Tue, 27 Mar 2007 19:44:46 +0000') },
      '82ZHiFIjc+WbcwFKGUVEQspPn+0=',
    ],
  ])('%s', (_name, method, url, headers: Readonly<Record<string, string>>, expected) => {
    const head = headOf(method, url, { ...headers, authorization: `AWS ${KEY}:${expected}` });
    const signed = parseSignatureV2(head, 'header', Date.parse(headers['date'] ?? ''));
    const signature = createHmac('sha1', SECRET)
      .update(stringToSignV2(signed, head))
      .digest('base64');

    expect(signature).toBe(expected);
  });
});

/** Another signer of the same, for requests that the documentation does not have. */
function sign(text: string, secret = SECRET): string {
  return createHmac('sha1', secret).update(text).digest('base64');
}

describe('Signature Version 2', () => {
  const DATE = 'Tue, 27 Mar 2007 19:36:42 GMT';
  const authorization = (resource: string, more = '', secret = SECRET): string =>
    `AWS ${KEY}:${sign(`GET\n\n\n${DATE}\n${more}${resource}`, secret)}`;
  const get = (url: string, signature: string, more = {}): RequestHead =>
    headOf('GET', url, { host: HOST, date: DATE, authorization: signature, ...more });
  const expires = (seconds: number): string => {
    const time = Math.floor(NOW / 1000) + seconds;
    const signature = encodeURIComponent(sign(`GET\n\n\n${time}\n/bucket/key`));
    return `/bucket/key?AWSAccessKeyId=${KEY}&Expires=${time}&Signature=${signature}`;
  };

  it('is refused until it is switched on, with a text that says what to use', async () => {
    const off = new Authenticator(singleCredentialStore(credential), 'us-east-1');
    const attempts = [
      get('/bucket/key', authorization('/bucket/key')),
      headOf('GET', expires(60), { host: HOST }),
    ];
    for (const head of attempts) {
      const error: unknown = await off.authenticate(head, NOW).catch((reason: unknown) => reason);
      expect(error).toMatchObject({ code: 'InvalidRequest' });
      expect((error as Error).message).toContain('AWS4-HMAC-SHA256');
    }
  });

  it('is accepted in headers and in URLs', async () => {
    expect(await codeOf(get('/bucket/key', authorization('/bucket/key')))).toBe('root');
    expect(await codeOf(headOf('GET', expires(60), { host: HOST }))).toBe('root');
  });

  it('takes a bucket signed with a slash behind it, but no key', async () => {
    expect(await codeOf(get('/bucket', authorization('/bucket')))).toBe('root');
    expect(await codeOf(get('/bucket?delimiter=a', authorization('/bucket/')))).toBe('root');
    const key = get('/bucket/key', authorization('/bucket/key/'));
    expect(await codeOf(key)).toBe('SignatureDoesNotMatch');
  });

  it.each<[string, string, () => RequestHead]>([
    [
      'another key',
      'SignatureDoesNotMatch',
      () => get('/bucket/other', authorization('/bucket/key')),
    ],
    [
      'a subresource more',
      'SignatureDoesNotMatch',
      () => get('/bucket/key?acl', authorization('/bucket/key')),
    ],
    [
      'a version more',
      'SignatureDoesNotMatch',
      () => get('/bucket/key?versionId=1', authorization('/bucket/key')),
    ],
    [
      'an x-amz header more',
      'SignatureDoesNotMatch',
      () => get('/bucket/key', authorization('/bucket/key'), { 'x-amz-meta-a': 'b' }),
    ],
    [
      'another secret',
      'SignatureDoesNotMatch',
      () => get('/bucket/key', authorization('/bucket/key', '', 'wrong')),
    ],
    [
      'an unknown key id',
      'InvalidAccessKeyId',
      () => get('/bucket/key', authorization('/bucket/key').replace(KEY, 'AKIANOBODY')),
    ],
    ['half a header', 'InvalidArgument', () => get('/bucket/key', `AWS ${KEY}`)],
    [
      'an old date',
      'RequestTimeTooSkewed',
      () =>
        get('/bucket/key', authorization('/bucket/key'), { date: 'Tue, 27 Mar 2007 19:00:00 GMT' }),
    ],
    ['no date', 'AccessDenied', () => get('/bucket/key', authorization('/'), { date: 'soon' })],
    [
      'a date before the epoch',
      'AccessDenied',
      () =>
        get('/bucket/key', authorization('/bucket/key'), { date: 'Tue, 07 Jul 1950 21:53:04 GMT' }),
    ],
    ['an expired URL', 'AccessDenied', () => headOf('GET', expires(-1), { host: HOST })],
    ['a URL for ever', 'AccessDenied', () => headOf('GET', expires(604_801), { host: HOST })],
    [
      'a URL with a later end',
      'SignatureDoesNotMatch',
      () =>
        headOf(
          'GET',
          expires(60).replace(/Expires=\d+/, `Expires=${Math.floor(NOW / 1000) + 90}`),
          { host: HOST },
        ),
    ],
    [
      'half a URL',
      'AccessDenied',
      () => headOf('GET', expires(60).replace(/Expires=\d+&/, ''), { host: HOST }),
    ],
    [
      'a session token',
      'InvalidToken',
      () => get('/bucket/key', authorization('/bucket/key'), { 'x-amz-security-token': 'x' }),
    ],
    [
      'signed chunks',
      'InvalidRequest',
      () =>
        get('/bucket/key', authorization('/bucket/key'), {
          'x-amz-content-sha256': 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD',
        }),
    ],
    ['both kinds at once', 'InvalidArgument', () => get(expires(60), authorization('/bucket/key'))],
  ])('refuses %s as %s', async (_name, code, head) => {
    expect(await codeOf(head())).toBe(code);
  });
});
