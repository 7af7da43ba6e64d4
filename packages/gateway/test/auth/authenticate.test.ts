import { Authenticator } from '../../src/auth/authenticate';
import { clusterRootPrincipal, singleCredentialStore } from '../../src/auth/credentials';
import { parseTimestamp, sha256Hex } from '../../src/auth/sigv4';
import { parseRequestHead } from '../../src/http/request-head';
import type { RequestHead } from '../../src/http/request-head';
import { S3Error } from '../../src/s3/s3-error';
import type { SignerOptions, UnsignedRequest } from '../support/sigv4-signer';
import { presign, sha256, signHeaders } from '../support/sigv4-signer';

const EMPTY = sha256('');

/** The published examples: https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html */
const AWS_KEY = 'AKIAIOSFODNN7EXAMPLE';
const AWS_SECRET = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY';
const AWS_DATE = '20130524T000000Z';

function authenticator(secretKey = AWS_SECRET, region = 'us-east-1'): Authenticator {
  const principal = clusterRootPrincipal('cluster');
  return new Authenticator(
    singleCredentialStore({ accessKeyId: AWS_KEY, secretKey, principal }),
    region,
  );
}

function headOf(
  method: string,
  url: string,
  headers: Readonly<Record<string, string>>,
): RequestHead {
  const rawHeaders = Object.entries(headers).flat();
  return parseRequestHead({ method, url, rawHeaders }, ['s3.amazonaws.com']);
}

async function refusal(promise: Promise<unknown>): Promise<S3Error> {
  const error: unknown = await promise.then(
    () => new Error('it was accepted'),
    (reason: unknown) => reason,
  );
  if (error instanceof S3Error) return error;
  throw error;
}

describe('the examples of the AWS documentation', () => {
  const now = parseTimestamp(AWS_DATE) ?? 0;
  const authorization = (signedHeaders: string, signature: string): string =>
    `AWS4-HMAC-SHA256 Credential=${AWS_KEY}/20130524/us-east-1/s3/aws4_request,` +
    `SignedHeaders=${signedHeaders},Signature=${signature}`;
  const host = 'examplebucket.s3.amazonaws.com';

  it.each([
    [
      'GET object',
      'GET',
      '/test.txt',
      { range: 'bytes=0-9', 'x-amz-content-sha256': EMPTY },
      'host;range;x-amz-content-sha256;x-amz-date',
      'f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41',
    ],
    [
      'PUT object',
      'PUT',
      '/test$file.text',
      {
        date: 'Fri, 24 May 2013 00:00:00 GMT',
        'x-amz-storage-class': 'REDUCED_REDUNDANCY',
        'x-amz-content-sha256': sha256('Welcome to Amazon S3.'),
      },
      'date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class',
      '98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd',
    ],
    [
      'GET bucket lifecycle',
      'GET',
      '/?lifecycle',
      { 'x-amz-content-sha256': EMPTY },
      'host;x-amz-content-sha256;x-amz-date',
      'fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543',
    ],
    [
      'list objects',
      'GET',
      '/?max-keys=2&prefix=J',
      { 'x-amz-content-sha256': EMPTY },
      'host;x-amz-content-sha256;x-amz-date',
      '34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7',
    ],
  ] as const)('accepts %s', async (_name, method, url, headers, signedHeaders, signature) => {
    const head = headOf(method, url, {
      host,
      ...headers,
      'x-amz-date': AWS_DATE,
      authorization: authorization(signedHeaders, signature),
    });

    const { principal } = await authenticator().authenticate(head, now);

    expect(principal.kind).toBe('root');
    const forged = headOf(method, url, {
      host,
      ...headers,
      'x-amz-date': AWS_DATE,
      authorization: authorization(signedHeaders, signature.replace(/.$/, 'e')),
    });
    expect((await refusal(authenticator().authenticate(forged, now))).code).toBe(
      'SignatureDoesNotMatch',
    );
  });

  it('accepts the presigned URL until it expires, and not after (G-9)', async () => {
    const url =
      '/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=' +
      'AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request' +
      '&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host' +
      '&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404';
    const head = headOf('GET', url, { host });

    await authenticator().authenticate(head, now + 86_400_000);
    const late = await refusal(authenticator().authenticate(head, now + 86_400_001));

    expect(late.code).toBe('AccessDenied');
    expect(late.message).toBe('Request has expired');
    expect(late.detail).toEqual({
      'X-Amz-Expires': 86400,
      Expires: '2013-05-25T00:00:00Z',
      ServerTime: '2013-05-25T00:00:00Z',
    });
  });

  it('accepts the chunked upload with all its chunk signatures', async () => {
    const head = headOf('PUT', '/examplebucket/chunkObject.txt', {
      host: 's3.amazonaws.com',
      'x-amz-date': AWS_DATE,
      'x-amz-storage-class': 'REDUCED_REDUNDANCY',
      'x-amz-content-sha256': 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD',
      'content-encoding': 'aws-chunked',
      'x-amz-decoded-content-length': '66560',
      'content-length': '66824',
      authorization: authorization(
        'content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;' +
          'x-amz-decoded-content-length;x-amz-storage-class',
        '4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9',
      ),
    });

    const { chunkSignatures } = await authenticator().authenticate(head, now);

    const chunks = [
      ['a'.repeat(65536), 'ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648'],
      ['a'.repeat(1024), '0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497'],
      ['', 'b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9'],
    ] as const;
    for (const [data, signature] of chunks) {
      expect(chunkSignatures?.verifyChunk(sha256Hex(data), signature)).toBe(true);
    }
  });
});

const TIMESTAMP = '20260102T030405Z';
const NOW = parseTimestamp(TIMESTAMP) ?? 0;
const SIGNER: SignerOptions = {
  accessKeyId: AWS_KEY,
  secretKey: AWS_SECRET,
  region: 'us-east-1',
  timestamp: TIMESTAMP,
};
const GET: UnsignedRequest = {
  method: 'GET',
  target: '/bucket/key',
  headers: { host: 'localhost:9000' },
  payloadHash: EMPTY,
};

describe('header authentication', () => {
  const authenticate = (
    request: UnsignedRequest,
    options: SignerOptions = SIGNER,
    change: (headers: Record<string, string>) => void = () => undefined,
  ): Promise<unknown> => {
    const headers = signHeaders(request, options);
    change(headers);
    return authenticator().authenticate(headOf(request.method, request.target, headers), NOW);
  };
  const edit =
    (from: string | RegExp, to: string) =>
    (headers: Record<string, string>): void => {
      headers['authorization'] = headers['authorization']!.replace(from, to);
    };

  it('accepts what is signed, 15 minutes either way (G-1)', async () => {
    await authenticate(GET);
    await authenticate(GET, { ...SIGNER, timestamp: '20260102T031905Z' });
    await authenticate(GET, { ...SIGNER, timestamp: '20260102T024905Z' });
  });

  it('refuses a clock that is off by more, and says both times (G-1)', async () => {
    for (const timestamp of ['20260102T031906Z', '20260102T024904Z']) {
      const error = await refusal(authenticate(GET, { ...SIGNER, timestamp }));

      expect(error.code).toBe('RequestTimeTooSkewed');
      expect(error.detail).toEqual({
        RequestTime: timestamp,
        ServerTime: '2026-01-02T03:04:05Z',
        MaxAllowedSkewMilliseconds: 900_000,
      });
    }
  });

  it('signs raw bytes above ASCII as they came', async () => {
    const utf8 = Buffer.from('à la carte à', 'utf8').toString('latin1');
    const headers = { ...GET.headers, 'x-amz-meta-note': 'à la carte à' };
    const signed = signHeaders({ ...GET, headers }, SIGNER);
    const head = headOf('GET', GET.target, { ...signed, 'x-amz-meta-note': utf8 });

    await authenticator().authenticate(head, NOW);
  });

  it('collapses blanks inside header values (G-7)', async () => {
    const headers = { ...GET.headers, 'x-amz-meta-note': 'a b c' };
    const signed = signHeaders({ ...GET, headers }, SIGNER);
    const sent = { ...signed, 'x-amz-meta-note': ' a   b  c ' };

    await authenticator().authenticate(headOf('GET', GET.target, sent), NOW);
  });

  it('takes us-east-1 for GetBucketLocation in any region (G-2)', async () => {
    const location = { ...GET, target: '/bucket?location=' };
    const elsewhere = authenticator(AWS_SECRET, 'eu-test-1');
    const head = headOf('GET', location.target, signHeaders(location, SIGNER));

    await elsewhere.authenticate(head, NOW);

    const other = headOf('GET', GET.target, signHeaders(GET, SIGNER));
    const error = await refusal(elsewhere.authenticate(other, NOW));
    expect(error.code).toBe('AuthorizationHeaderMalformed');
    expect(error.message).toBe(
      "The authorization header is malformed; the region 'us-east-1' is wrong; expecting 'eu-test-1'",
    );
    expect(error.detail).toEqual({ Region: 'eu-test-1' });
  });

  it('explains a signature that does not match (G-2)', async () => {
    const error = await refusal(authenticate(GET, { ...SIGNER, secretKey: 'wrong' }));

    expect(error.code).toBe('SignatureDoesNotMatch');
    expect(error.detail['CanonicalRequest']).toContain('GET\n/bucket/key\n\nhost:localhost:9000\n');
    expect(error.detail['StringToSign']).toMatch(/^AWS4-HMAC-SHA256\n20260102T030405Z\n/);
    expect(error.detail['StringToSignBytes']).toMatch(/^41 57 53 34 /);
    expect(JSON.stringify(error.detail)).not.toContain(AWS_SECRET);
  });

  it.each<[string, string, (headers: Record<string, string>) => void]>([
    ['an unknown key', 'InvalidAccessKeyId', edit(AWS_KEY, 'AKIAUNKNOWN')],
    ['Basic', 'InvalidArgument', edit(/.*/, 'Basic dXNlcjpwYXNz')],
    ['SigV2', 'InvalidRequest', edit(/.*/, 'AWS AKIA:c2lnbmF0dXJl')],
    ['SigV4A', 'InvalidRequest', edit('AWS4-HMAC-SHA256', 'AWS4-ECDSA-P256-SHA256')],
    ['no Credential', 'AuthorizationHeaderMalformed', edit(/Credential=[^,]*,/, '')],
    ['no SignedHeaders', 'AuthorizationHeaderMalformed', edit(/SignedHeaders=[^,]*,/, '')],
    ['no Signature', 'AuthorizationHeaderMalformed', edit(/,Signature=.*/, '')],
    ['an unknown field', 'AuthorizationHeaderMalformed', edit('Signature', 'Seal=1,Signature')],
    ['two signatures', 'AuthorizationHeaderMalformed', edit(/$/, ',Signature=00')],
    ['a scope of four parts', 'AuthorizationHeaderMalformed', edit('/us-east-1', '')],
    ['another service', 'AuthorizationHeaderMalformed', edit('/s3/', '/s3tables/')],
    ['another terminal', 'AuthorizationHeaderMalformed', edit('aws4_request', 'aws5_request')],
    ['a bad date', 'AuthorizationHeaderMalformed', edit('/20260102/', '/2026-01-02/')],
    ['the date of another day', 'AuthorizationHeaderMalformed', edit('/20260102/', '/20260103/')],
    ['a short signature', 'SignatureDoesNotMatch', edit(/..$/, '')],
    ['a long signature', 'SignatureDoesNotMatch', edit(/$/, '00')],
    ['upper-case hex', 'SignatureDoesNotMatch', edit(/[a-f](?=[^a-f]*$)/, 'A')],
    ['a signature that is not hex', 'SignatureDoesNotMatch', edit(/.{64}$/, 'z'.repeat(64))],
    ['host not signed (G-3)', 'AccessDenied', edit('host;', '')],
    ['a foreign x-amz header (G-3)', 'AccessDenied', (headers) => (headers['x-amz-acl'] = 'x')],
    ['no date', 'AccessDenied', (headers) => delete headers['x-amz-date']],
    ['a malformed date', 'AccessDenied', (headers) => (headers['x-amz-date'] = '20260230T030405Z')],
    ['no body hash', 'InvalidRequest', (headers) => delete headers['x-amz-content-sha256']],
    ['an unknown mode', 'InvalidArgument', (headers) => (headers['x-amz-content-sha256'] = 'NONE')],
    ['a session token', 'AccessDenied', (headers) => (headers['x-amz-security-token'] = 'x')],
    ['another host', 'SignatureDoesNotMatch', (headers) => (headers['host'] = 'localhost:9001')],
    ['a line feed in SignedHeaders', 'AuthorizationHeaderMalformed', edit('host;', 'host;\n')],
  ])('refuses %s as %s', async (_name, code, change) => {
    expect((await refusal(authenticate(GET, SIGNER, change))).code).toBe(code);
  });

  it.each<[string, (headers: Record<string, string>) => void]>([
    ['no Authorization', (headers) => delete headers['authorization']],
    ['an empty one, which is none', edit(/.*/, '')],
  ])('takes a request with %s for anonymous', async (_name, change) => {
    const headers = signHeaders(GET, SIGNER);
    change(headers);
    const head = headOf(GET.method, GET.target, headers);

    const { principal, chunkSignatures, signature } = await authenticator().authenticate(head, NOW);

    expect([principal.kind, chunkSignatures, signature]).toEqual(['anonymous', null, null]);
  });

  it('refuses signed chunks of nobody', async () => {
    const payloadHash = 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD';
    const headers = signHeaders({ ...GET, payloadHash }, SIGNER);
    delete headers['authorization'];
    const attempt = authenticator().authenticate(headOf('PUT', GET.target, headers), NOW);

    expect((await refusal(attempt)).code).toBe('InvalidRequest');
  });

  it('refuses a session token of a key that is not temporary', async () => {
    const headers = { ...GET.headers, 'x-amz-security-token': 'token' };

    expect((await refusal(authenticate({ ...GET, headers }))).code).toBe('InvalidToken');
  });

  it('names the headers that were not signed (G-3)', async () => {
    const error = await refusal(
      authenticate(GET, SIGNER, (headers) => {
        headers['x-amz-acl'] = 'public-read';
        headers['x-amz-meta-a'] = 'b';
      }),
    );

    expect(error.detail).toEqual({ HeadersNotSigned: 'x-amz-acl, x-amz-meta-a' });
  });

  it.each(['PAYLOAD', 'PAYLOAD-TRAILER'])(
    'refuses STREAMING-AWS4-ECDSA-P256-SHA256-%s',
    async (end) => {
      const payloadHash = `STREAMING-AWS4-ECDSA-P256-SHA256-${end}`;

      expect((await refusal(authenticate({ ...GET, payloadHash }))).code).toBe('InvalidArgument');
    },
  );

  it('notices a secret that was changed under the same key id', async () => {
    const credential = { accessKeyId: AWS_KEY, principal: clusterRootPrincipal('c') };
    let secretKey = AWS_SECRET;
    const changing = new Authenticator(
      { lookup: () => ({ ...credential, secretKey }) },
      'us-east-1',
    );
    const head = headOf('GET', GET.target, signHeaders(GET, SIGNER));
    await changing.authenticate(head, NOW);

    secretKey = 'rotated';

    expect((await refusal(changing.authenticate(head, NOW))).code).toBe('SignatureDoesNotMatch');
  });
});

describe('presigned URLs (G-9, G-10, G-11)', () => {
  const request = { method: GET.method, target: GET.target, headers: GET.headers };
  const authenticate = (
    target: string,
    headers: Readonly<Record<string, string>> = GET.headers,
    nowMs = NOW,
  ): Promise<unknown> => authenticator().authenticate(headOf('GET', target, headers), nowMs);

  it('has no rule about skew in the past', async () => {
    await authenticate(presign(request, 604_800, SIGNER), GET.headers, NOW + 604_800_000);
  });

  it('is not valid before its time', async () => {
    const target = presign(request, 60, SIGNER);
    await authenticate(target, GET.headers, NOW - 900_000);

    const error = await refusal(authenticate(target, GET.headers, NOW - 900_001));

    expect([error.code, error.message]).toEqual(['AccessDenied', 'Request is not valid yet']);
  });

  it.each([
    ['604801', /must be less than a week/],
    ['-1', /must be non-negative/],
    ['soon', /should be a number/],
    ['', /should be a number/],
    ['1e3', /should be a number/],
  ])('refuses X-Amz-Expires=%s', async (expires, message) => {
    const target = presign(request, 60, SIGNER).replace('Expires=60', `Expires=${expires}`);

    const error = await refusal(authenticate(target));

    expect(error.code).toBe('AuthorizationQueryParametersError');
    expect(error.message).toMatch(message);
  });

  it.each(['Algorithm', 'Credential', 'Date', 'Expires', 'SignedHeaders', 'Signature'])(
    'refuses a missing X-Amz-%s',
    async (name) => {
      const target = presign(request, 60, SIGNER).replace(new RegExp(`X-Amz-${name}=[^&]*&?`), '');

      expect((await refusal(authenticate(target))).code).toBe('AuthorizationQueryParametersError');
    },
  );

  it.each([
    ['the expiry', 'Expires=60', 'Expires=600', 'SignatureDoesNotMatch'],
    ['the key', '/bucket/key', '/bucket/other', 'SignatureDoesNotMatch'],
    ['a parameter', '?', '?versionId=1&', 'SignatureDoesNotMatch'],
    ['the region', 'us-east-1', 'us-west-1', 'AuthorizationQueryParametersError'],
    ['the service', '%2Fs3%2F', '%2Fs3tables%2F', 'AuthorizationQueryParametersError'],
    ['the algorithm', 'HMAC-SHA256', 'NONE', 'AuthorizationQueryParametersError'],
    ['a second signature', /$/, '&X-Amz-Signature=00', 'InvalidArgument'],
    ['the signed headers', 'SignedHeaders=host', 'SignedHeaders=date', 'AccessDenied'],
  ])('is bound to %s', async (_name, from, to, code) => {
    const head = (): RequestHead =>
      headOf('GET', presign(request, 60, SIGNER).replace(from, to), GET.headers);

    const attempt = async (): Promise<unknown> => authenticator().authenticate(head(), NOW);

    expect((await refusal(attempt())).code).toBe(code);
  });

  it('is bound to the method and the host', async () => {
    const target = presign(request, 60, SIGNER);
    const put = authenticator().authenticate(headOf('PUT', target, GET.headers), NOW);

    expect((await refusal(put)).code).toBe('SignatureDoesNotMatch');
    expect((await refusal(authenticate(target, { host: 'elsewhere' }))).code).toBe(
      'SignatureDoesNotMatch',
    );
  });

  it('refuses an unsigned x-amz header here too (G-3)', async () => {
    const headers = { ...GET.headers, 'x-amz-copy-source': '/bucket/secret' };

    const error = await refusal(authenticate(presign(request, 60, SIGNER), headers));

    expect(error.detail).toEqual({ HeadersNotSigned: 'x-amz-copy-source' });
  });

  it('refuses two mechanisms at once (G-11)', async () => {
    const headers = signHeaders(GET, SIGNER);

    const error = await refusal(authenticate(presign(request, 60, SIGNER), headers));

    expect(error.code).toBe('InvalidArgument');
    expect(error.message).toMatch(/^Only one auth mechanism allowed/);
  });

  it('refuses SigV2 with a clear text', async () => {
    const error = await refusal(authenticate('/b-b/k?AWSAccessKeyId=a&Signature=b&Expires=1'));

    expect(error.code).toBe('InvalidRequest');
    expect(error.message).toMatch(/Please use AWS4-HMAC-SHA256/);
  });

  it('never takes an aws-chunked body', async () => {
    const target = presign(
      {
        ...request,
        target: '/bucket/key?X-Amz-Content-Sha256=STREAMING-UNSIGNED-PAYLOAD-TRAILER',
      },
      60,
      SIGNER,
    );

    expect((await refusal(authenticate(target))).code).toBe('InvalidRequest');
  });
});
