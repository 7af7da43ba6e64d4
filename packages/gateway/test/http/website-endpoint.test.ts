import { request as httpRequest } from 'node:http';
import type { IncomingHttpHeaders } from 'node:http';

import {
  CreateBucketCommand,
  DeletePublicAccessBlockCommand,
  PutBucketCorsCommand,
  PutBucketPolicyCommand,
  PutBucketRequestPaymentCommand,
  PutBucketWebsiteCommand,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import type { S3Client, WebsiteConfiguration } from '@aws-sdk/client-s3';

import { ClusterGateway } from '../support/cluster-gateway';

interface Page {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

let gateway: ClusterGateway;
let s3: S3Client;
let bucketCount = 0;

beforeAll(async () => {
  gateway = await ClusterGateway.start({ websitePort: 0 });
  s3 = gateway.s3();
});

afterAll(() => gateway.close());

/** A public website. */
async function site(
  objects: Readonly<Record<string, string>>,
  configuration: WebsiteConfiguration = {
    IndexDocument: { Suffix: 'index.html' },
    ErrorDocument: { Key: 'error.html' },
  },
  actions: readonly string[] = ['s3:GetObject', 's3:ListBucket'],
): Promise<string> {
  bucketCount += 1;
  const Bucket = `site-${bucketCount}`;
  await s3.send(new CreateBucketCommand({ Bucket }));
  await s3.send(new DeletePublicAccessBlockCommand({ Bucket }));
  const statement = { Effect: 'Allow', Principal: '*' };
  const Statement = actions.map((Action) => ({
    ...statement,
    Action,
    Resource: Action.endsWith('Object') ? `arn:aws:s3:::${Bucket}/*` : `arn:aws:s3:::${Bucket}`,
  }));
  const Policy = JSON.stringify({ Version: '2012-10-17', Statement });
  if (actions.length > 0) await s3.send(new PutBucketPolicyCommand({ Bucket, Policy }));
  const input = { Bucket, WebsiteConfiguration: configuration };
  await s3.send(new PutBucketWebsiteCommand(input));
  for (const [Key, Body] of Object.entries(objects)) {
    await s3.send(new PutObjectCommand({ Bucket, Key, Body, ContentType: 'text/html' }));
  }
  return Bucket;
}

function visit(
  bucket: string,
  path: string,
  options: {
    readonly method?: string;
    readonly headers?: Readonly<Record<string, string>>;
    readonly body?: string;
  } = {},
): Promise<Page> {
  const { method = 'GET', headers = {}, body } = options;
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest(
      {
        host: '127.0.0.1',
        port: gateway.service.websitePort,
        method,
        path,
        headers: { host: `${bucket}.localhost`, ...headers },
        agent: false,
      },
      (incoming) => {
        const chunks: Buffer[] = [];
        incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
        incoming.on('end', () =>
          resolve({
            status: incoming.statusCode ?? 0,
            headers: incoming.headers,
            text: Buffer.concat(chunks).toString(),
          }),
        );
      },
    );
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

describe('a website', () => {
  it('Q-3: shows objects, and index documents for folders', async () => {
    const bucket = await site({
      'index.html': 'home',
      'docs/index.html': 'docs',
      'a b/é.html': 'odd',
    });
    for (const [path, text] of [
      ['/', 'home'],
      ['/?query=ignored&X-Amz-Signature=too', 'home'],
      ['/index.html', 'home'],
      ['/docs/', 'docs'],
      ['/a%20b/%C3%A9.html', 'odd'],
    ] as const) {
      const page = await visit(bucket, path);
      expect([path, page.status, page.text]).toEqual([path, 200, text]);
      expect(page.headers['content-type']).toBe('text/html');
    }
    const folder = await visit(bucket, '/docs');
    expect([folder.status, folder.headers['location']]).toEqual([302, '/docs/']);
  });

  it('Q-3: is found by its path too', async () => {
    const bucket = await site({ 'index.html': 'home', 'docs/index.html': 'docs' });
    const headers = { host: `127.0.0.1:${gateway.service.websitePort}` };
    expect((await visit('', `/${bucket}/`, { headers })).text).toBe('home');
    expect((await visit('', `/${bucket}`, { headers })).text).toBe('home');
    const folder = await visit('', `/${bucket}/docs`, { headers });
    expect(folder.headers['location']).toBe(`/${bucket}/docs/`);
  });

  it('Q-3: honours conditions, ranges and HEAD', async () => {
    const bucket = await site({ 'index.html': 'home' });
    const { headers } = await visit(bucket, '/');
    const unchanged = { headers: { 'if-none-match': headers['etag']! } };
    expect((await visit(bucket, '/', unchanged)).status).toBe(304);
    const part = await visit(bucket, '/', { headers: { range: 'bytes=1-2' } });
    expect([part.status, part.text]).toEqual([206, 'om']);
    const head = await visit(bucket, '/', { method: 'HEAD' });
    expect([head.status, head.text, head.headers['content-length']]).toEqual([200, '', '4']);
  });

  it('Q-3: answers errors with the error document, under their own status', async () => {
    const bucket = await site({ 'error.html': 'sorry' });
    const page = await visit(bucket, '/missing');
    expect([page.status, page.text]).toEqual([404, 'sorry']);
  });

  it('Q-3: answers errors with a page where there is no error document', async () => {
    const bucket = await site({}, { IndexDocument: { Suffix: 'index.html' } });
    const page = await visit(bucket, '/%3Cscript%3E');
    expect(page.status).toBe(404);
    expect(page.headers['content-type']).toContain('text/html');
    expect(page.headers['x-amz-error-code']).toBe('NoSuchKey');
    expect(page.text).toContain('<li>Code: NoSuchKey</li>');
    expect(page.text).toContain('&lt;script&gt;');
    expect(page.text).not.toContain('<script>');
    const withDocument = await site({});
    expect((await visit(withDocument, '/missing')).text).toContain(
      'An Error Occurred While Attempting to Retrieve a Custom Error Document',
    );
  });

  it('P-3: tells those who may not list nothing of what is not there', async () => {
    const bucket = await site({ 'index.html': 'home' }, undefined, ['s3:GetObject']);
    expect((await visit(bucket, '/missing')).status).toBe(403);
    expect((await visit(bucket, '/')).status).toBe(200);
  });

  it('is closed to readers who are not let in, and where the requester pays', async () => {
    const closed = await site({ 'index.html': 'home' }, undefined, []);
    const page = await visit(closed, '/');
    expect([page.status, page.headers['x-amz-error-code']]).toEqual([403, 'AccessDenied']);
    const paid = await site({ 'index.html': 'home' });
    const RequestPaymentConfiguration = { Payer: 'Requester' as const };
    const input = { Bucket: paid, RequestPaymentConfiguration };
    await s3.send(new PutBucketRequestPaymentCommand(input));
    const headers = { 'x-amz-request-payer': 'requester' };
    expect((await visit(paid, '/', { headers })).status).toBe(403);
  });

  it('is only there when it was configured', async () => {
    const Bucket = 'no-website';
    await s3.send(new CreateBucketCommand({ Bucket }));
    const absent = await visit(Bucket, '/');
    expect([absent.status, absent.headers['x-amz-error-code']]).toEqual([
      404,
      'NoSuchWebsiteConfiguration',
    ]);
    const missing = await visit('no-bucket', '/');
    expect([missing.status, missing.headers['x-amz-error-code']]).toEqual([404, 'NoSuchBucket']);
  });

  it('Q-3: takes GET and HEAD alone', async () => {
    const bucket = await site({ 'index.html': 'home' });
    for (const method of ['PUT', 'POST', 'DELETE', 'PATCH']) {
      const headers = { 'content-length': '1' };
      const page = await visit(bucket, '/', { method, headers, body: 'x' });
      expect([method, page.status, page.headers['allow']]).toEqual([
        method,
        405,
        'GET, HEAD, OPTIONS',
      ]);
    }
  });

  it('Q-2: answers pages of other origins', async () => {
    const bucket = await site({ 'index.html': 'home' });
    const CORSRules = [{ AllowedMethods: ['GET'], AllowedOrigins: ['http://a.test'] }];
    const input = { Bucket: bucket, CORSConfiguration: { CORSRules } };
    await s3.send(new PutBucketCorsCommand(input));
    const headers = { origin: 'http://a.test', 'access-control-request-method': 'GET' };
    for (const [method, path, status] of [
      ['GET', '/', 200],
      ['GET', '/missing', 404],
      ['OPTIONS', '/', 200],
    ] as const) {
      const page = await visit(bucket, path, { method, headers });
      expect([page.status, page.headers['access-control-allow-origin']]).toEqual([
        status,
        'http://a.test',
      ]);
    }
  });
});

describe('redirects of a website', () => {
  it('Q-3: of everything', async () => {
    const RedirectAllRequestsTo = { HostName: 'other.test', Protocol: 'https' as const };
    const bucket = await site({}, { RedirectAllRequestsTo });
    const page = await visit(bucket, '/a%20b/c%0D%0Ad?x');
    expect([page.status, page.headers['location']]).toEqual([
      301,
      'https://other.test/a%20b/c%0D%0Ad',
    ]);
  });

  it('Q-3: by prefix and by error, each rule as it is written', async () => {
    const bucket = await site(
      { 'index.html': 'home' },
      {
        IndexDocument: { Suffix: 'index.html' },
        RoutingRules: [
          {
            Condition: { KeyPrefixEquals: 'old/' },
            Redirect: { ReplaceKeyPrefixWith: 'new/', HttpRedirectCode: '302' },
          },
          {
            Condition: { KeyPrefixEquals: 'gone/', HttpErrorCodeReturnedEquals: '404' },
            Redirect: { HostName: 'archive.test', ReplaceKeyWith: 'lost.html' },
          },
          {
            Condition: { HttpErrorCodeReturnedEquals: '404' },
            Redirect: { ReplaceKeyPrefixWith: '#!/', Protocol: 'https' },
          },
        ],
      },
    );
    for (const [path, status, location] of [
      ['/old/a%20b', 302, `http://${bucket}.localhost/new/a%20b`],
      ['/gone/x', 301, 'http://archive.test/lost.html'],
      ['/else', 301, `https://${bucket}.localhost/#!/else`],
      ['/', 200, undefined],
    ] as const) {
      const page = await visit(bucket, path);
      expect([path, page.status, page.headers['location']]).toEqual([path, status, location]);
    }
  });

  it('Q-3: of an object that names another place', async () => {
    const bucket = await site({});
    const WebsiteRedirectLocation = '/elsewhere?a=b#c';
    const input = { Bucket: bucket, Key: 'here', Body: 'x', WebsiteRedirectLocation };
    await s3.send(new PutObjectCommand(input));
    const page = await visit(bucket, '/here');
    expect([page.status, page.headers['location']]).toEqual([301, WebsiteRedirectLocation]);
  });

  it('advisory 44, 45: a line end in a rule or a key ends no header', async () => {
    const bucket = await site(
      {},
      {
        IndexDocument: { Suffix: 'index.html' },
        RoutingRules: [{ Redirect: { ReplaceKeyWith: 'x\r\nSet-Cookie: a=b' } }],
      },
    );
    const page = await visit(bucket, '/a');
    expect(page.status).toBe(301);
    expect(page.headers['set-cookie']).toBeUndefined();
    expect(page.headers['location']).toContain('x%0D%0ASet-Cookie:%20a=b');
    const configuration = {
      Bucket: bucket,
      WebsiteConfiguration: {
        RedirectAllRequestsTo: { HostName: 'a.test\r\nSet-Cookie: a=b' },
      },
    };
    await expect(s3.send(new PutBucketWebsiteCommand(configuration))).rejects.toMatchObject({
      name: 'InvalidRequest',
    });
  });
});
