import { createHash } from 'node:crypto';

import {
  CreateBucketCommand,
  DeleteBucketPolicyCommand,
  GetBucketAclCommand,
  GetBucketPolicyCommand,
  GetBucketPolicyStatusCommand,
  GetObjectCommand,
  HeadBucketCommand,
  ListBucketMetricsConfigurationsCommand,
  ListBucketsCommand,
  PutBucketCorsCommand,
  PutBucketMetricsConfigurationCommand,
  PutBucketPolicyCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import type { S3Client } from '@aws-sdk/client-s3';

import { GetCallerIdentityCommand } from '@aws-sdk/client-sts';

import { CLUSTER_REGION, ClusterGateway, ROOT } from '../support/cluster-gateway';
import { signHeaders } from '../support/sigv4-signer';

let gateway: ClusterGateway;
let s3: S3Client;

beforeAll(async () => {
  gateway = await ClusterGateway.start();
  s3 = gateway.s3();
});

afterAll(() => gateway.close());

function signed(
  method: string,
  target: string,
  options: { readonly headers?: Record<string, string>; readonly body?: string } = {},
): Promise<Response> {
  const { headers = {}, body = '' } = options;
  const payloadHash = createHash('sha256').update(body).digest('hex');
  const all = signHeaders(
    { method, target, headers: { host: new URL(gateway.url).host, ...headers }, payloadHash },
    {
      accessKeyId: ROOT.accessKeyId,
      secretKey: ROOT.secretAccessKey,
      region: CLUSTER_REGION,
      timestamp: new Date().toISOString().replaceAll(/[-:]|\.\d+/g, ''),
    },
  );
  // fetch sets it by itself.
  const sent = Object.entries(all).filter(([name]) => name !== 'host');
  return fetch(`${gateway.url}${target}`, {
    method,
    headers: sent,
    ...(body === '' ? {} : { body }),
  });
}

describe('requests about buckets', () => {
  it('come and go through the SDK', async () => {
    const Bucket = 'through-the-sdk';
    await s3.send(new CreateBucketCommand({ Bucket }));
    expect(await s3.send(new HeadBucketCommand({ Bucket }))).toMatchObject({
      BucketRegion: CLUSTER_REGION,
    });
    const { Owner, Grants } = await s3.send(new GetBucketAclCommand({ Bucket }));
    expect(Grants).toEqual([
      { Grantee: { ...Owner, Type: 'CanonicalUser' }, Permission: 'FULL_CONTROL' },
    ]);
    const Policy = JSON.stringify({
      Version: '2012-10-17',
      Statement: [
        {
          Effect: 'Deny',
          Principal: '*',
          Action: 's3:GetObject',
          Resource: `arn:aws:s3:::${Bucket}/secret`,
        },
      ],
    });
    await s3.send(new PutBucketPolicyCommand({ Bucket, Policy }));
    expect((await s3.send(new GetBucketPolicyCommand({ Bucket }))).Policy).toBe(Policy);
    const { PolicyStatus } = await s3.send(new GetBucketPolicyStatusCommand({ Bucket }));
    expect(PolicyStatus).toEqual({ IsPublic: false });
    await s3.send(new PutObjectCommand({ Bucket, Key: 'secret', Body: 'x' }));
    const get = new GetObjectCommand({ Bucket, Key: 'secret' });
    await expect(s3.send(get)).rejects.toMatchObject({ name: 'AccessDenied' });
    await s3.send(new DeleteBucketPolicyCommand({ Bucket }));
    expect(await (await s3.send(get)).Body!.transformToString()).toBe('x');
    const VersioningConfiguration = { Status: 'Enabled' as const };
    await s3.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration }));
    const put = await s3.send(new PutObjectCommand({ Bucket, Key: 'a', Body: 'x' }));
    expect(put.VersionId).toMatch(/^\w{32}$/);
    const MetricsConfiguration = { Id: 'all', Filter: { Prefix: 'a/' } };
    const metrics = { Bucket, Id: 'all', MetricsConfiguration };
    await s3.send(new PutBucketMetricsConfigurationCommand(metrics));
    const list = await s3.send(new ListBucketMetricsConfigurationsCommand({ Bucket }));
    expect(list).toMatchObject({
      IsTruncated: false,
      MetricsConfigurationList: [MetricsConfiguration],
    });
  });

  it('P-4: the root takes back a policy that shuts it out', async () => {
    const Bucket = 'shut-out';
    await s3.send(new CreateBucketCommand({ Bucket }));
    const Policy = JSON.stringify({
      Version: '2012-10-17',
      Statement: [
        {
          Effect: 'Deny',
          Principal: '*',
          Action: 's3:*',
          Resource: [`arn:aws:s3:::${Bucket}`, `arn:aws:s3:::${Bucket}/*`],
        },
      ],
    });
    await s3.send(new PutBucketPolicyCommand({ Bucket, Policy }));
    await expect(s3.send(new GetBucketAclCommand({ Bucket }))).rejects.toMatchObject({
      name: 'AccessDenied',
    });
    expect((await s3.send(new GetBucketPolicyCommand({ Bucket }))).Policy).toBe(Policy);
    await s3.send(new DeleteBucketPolicyCommand({ Bucket }));
    await s3.send(new GetBucketAclCommand({ Bucket }));
  });

  it('K-9: buckets are listed in pages', async () => {
    const names = ['page-a', 'page-b', 'page-c'];
    for (const Bucket of names) await s3.send(new CreateBucketCommand({ Bucket }));
    const found: (string | undefined)[] = [];
    let ContinuationToken: string | undefined;
    do {
      const input = { Prefix: 'page-', MaxBuckets: 2, ContinuationToken };
      const page = await s3.send(new ListBucketsCommand(input));
      expect(page.Buckets!.length).toBeLessThanOrEqual(2);
      found.push(...page.Buckets!.map(({ Name }) => Name));
      ({ ContinuationToken } = page);
    } while (ContinuationToken !== undefined);
    expect(found).toEqual(names);
    const elsewhere = new ListBucketsCommand({ BucketRegion: 'moon-1' });
    expect((await s3.send(elsewhere)).Buckets ?? []).toEqual([]);
  });
});

describe('Cross-origin requests', () => {
  const origin = 'http://page.test';
  const Bucket = 'cross-origin';

  beforeAll(async () => {
    await s3.send(new CreateBucketCommand({ Bucket }));
    const CORSRules = [
      {
        AllowedMethods: ['GET', 'PUT'],
        AllowedOrigins: [origin],
        AllowedHeaders: ['*'],
        ExposeHeaders: ['ETag'],
        MaxAgeSeconds: 60,
      },
    ];
    await s3.send(new PutBucketCorsCommand({ Bucket, CORSConfiguration: { CORSRules } }));
  });

  it('Q-1: a preflight needs no signature', async () => {
    const headers = {
      origin,
      'access-control-request-method': 'PUT',
      'access-control-request-headers': 'content-type,x-amz-date',
    };
    const answer = await fetch(`${gateway.url}/${Bucket}/a/b`, { method: 'OPTIONS', headers });
    expect(answer.status).toBe(200);
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      'access-control-allow-origin': origin,
      'access-control-allow-methods': 'GET, PUT',
      'access-control-allow-headers': 'content-type, x-amz-date',
      'access-control-expose-headers': 'ETag',
      'access-control-max-age': '60',
      'access-control-allow-credentials': 'true',
      vary: 'Origin, Access-Control-Request-Headers, Access-Control-Request-Method',
    });
    expect(answer.headers.get('x-amz-request-id')).toMatch(/^[0-9A-F]{16}$/);
    const refused = await fetch(`${gateway.url}/${Bucket}`, {
      method: 'OPTIONS',
      headers: { ...headers, origin: 'http://other.test' },
    });
    expect(refused.status).toBe(403);
    expect(await refused.text()).toContain('<Code>AccessForbidden</Code>');
    expect((await fetch(gateway.url, { method: 'OPTIONS' })).status).toBe(400);
  });

  it('Q-2: errors carry the headers, so that a browser shows them', async () => {
    for (const [status, call] of [
      [403, fetch(`${gateway.url}/${Bucket}/a`, { headers: { origin } })],
      [404, signed('GET', `/${Bucket}/missing`, { headers: { origin } })],
      [501, signed('GET', `/${Bucket}?encryption`, { headers: { origin } })],
      [200, signed('GET', `/${Bucket}?location`, { headers: { origin } })],
    ] as const) {
      const answer = await call;
      expect([answer.status, answer.headers.get('access-control-allow-origin')]).toEqual([
        status,
        origin,
      ]);
    }
    const other = await signed('GET', `/${Bucket}`, { headers: { origin: 'http://other.test' } });
    expect(other.headers.get('access-control-allow-origin')).toBeNull();
  });
});

describe('S3 Control', () => {
  const target = '/v20180820/configuration/publicAccessBlock';
  const body =
    '<PublicAccessBlockConfiguration xmlns="http://awss3control.amazonaws.com/doc/2018-08-20/">' +
    '<BlockPublicAcls>true</BlockPublicAcls><IgnorePublicAcls>true</IgnorePublicAcls>' +
    '<BlockPublicPolicy>true</BlockPublicPolicy>' +
    '<RestrictPublicBuckets>true</RestrictPublicBuckets></PublicAccessBlockConfiguration>';

  it("P-5: the account's own Block Public Access is put, read and deleted", async () => {
    const identity = await gateway.sts().send(new GetCallerIdentityCommand({}));
    const headers = { 'x-amz-account-id': identity.Account! };
    expect((await signed('GET', target, { headers })).status).toBe(404);
    expect((await signed('PUT', target, { headers, body })).status).toBe(201);
    const read = await signed('GET', target, { headers });
    expect([read.status, (await read.text()).replace(/^.*\n/, '')]).toEqual([200, body]);
    expect((await signed('DELETE', target, { headers })).status).toBe(204);
    expect((await signed('GET', target, { headers })).status).toBe(404);
    const other = { 'x-amz-account-id': '999999999999' };
    expect((await signed('PUT', target, { headers: other, body })).status).toBe(403);
    expect((await fetch(`${gateway.url}${target}`, { headers })).status).toBe(403);
  });

  it('its path without the header is an object', async () => {
    const answer = await signed('GET', target);
    expect(await answer.text()).toContain('<Code>NoSuchBucket</Code>');
  });
});
