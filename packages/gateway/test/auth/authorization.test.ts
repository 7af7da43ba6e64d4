import type { AccountGateway, Caller } from './account-gateway';
import { ALICE_ARN, OTHER_ACCOUNT, OWNER } from './account-gateway';
import { BUCKET, EVERYTHING, GuardedBucket, LIST, NOTHING, READ } from './guarded-bucket';
import { policyText } from './policy/policy-fixture';

let bucket: GuardedBucket;
let gateway: AccountGateway;

beforeAll(async () => {
  bucket = await GuardedBucket.start();
  ({ gateway } = bucket);
});

beforeEach(() => bucket.reset());

afterAll(() => gateway.close());

describe('P-1: identities and the policy of a bucket', () => {
  it('lets nobody in but the owner when nothing is said', async () => {
    const callers: readonly Caller[] = ['owner', 'alice', 'other', 'bob', 'nobody'];
    const statuses = await Promise.all(callers.map((caller) => bucket.statusOf(caller)));
    expect(statuses).toEqual([200, 403, 403, 403, 403]);
  });

  it('lets other accounts in when both sides agree, and only then', async () => {
    await gateway.allow('bob', EVERYTHING);
    expect([await bucket.statusOf('bob'), await bucket.statusOf('other')]).toEqual([403, 403]);
    await bucket.setPolicy({ ...READ, Principal: { AWS: OTHER_ACCOUNT.accountId } });
    expect([await bucket.statusOf('bob'), await bucket.statusOf('other')]).toEqual([200, 200]);
    await gateway.allow('bob', NOTHING);
    expect([await bucket.statusOf('bob'), await bucket.statusOf('other')]).toEqual([403, 200]);
    expect(await bucket.statusOf('alice')).toBe(403);
  });

  it('G-10: who is not signed for cannot change the headers of an answer', async () => {
    await bucket.setPolicy({ ...READ, Principal: '*' });
    const target = `/${BUCKET}/key?response-content-type=text/html`;
    const refused = await bucket.get('nobody', target);
    expect([refused.status, refused.code]).toEqual([400, 'InvalidRequest']);
    expect((await bucket.get('alice', target)).headers['content-type']).toBe('text/html');
  });

  it('P-2: a denial on either side wins', async () => {
    const denial = { Effect: 'Deny', Action: 's3:GetObject', Resource: '*' };
    await gateway.allow('alice', policyText(denial));
    await bucket.setPolicy({ ...READ, Principal: { AWS: ALICE_ARN } });
    expect(await bucket.statusOf('alice')).toBe(403);
    await gateway.allow('alice', EVERYTHING);
    expect(await bucket.statusOf('alice')).toBe(200);
    await bucket.setPolicy({ ...denial, Principal: '*', Resource: `arn:aws:s3:::${BUCKET}/*` });
    expect([await bucket.statusOf('alice'), await bucket.statusOf('owner')]).toEqual([403, 403]);
  });

  it('groups, managed policies and boundaries count; what is gone denies', async () => {
    const full = 'arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess';
    await gateway.allow('alice', NOTHING, { attachedPolicyArns: [full] });
    expect(await bucket.statusOf('alice')).toBe(200);
    const iamOnly = 'arn:aws:iam::aws:policy/IAMFullAccess';
    await gateway.allow('alice', EVERYTHING, { permissionsBoundaryArn: iamOnly });
    expect(await bucket.statusOf('alice')).toBe(403);
    const gone = `arn:aws:iam::${OWNER.accountId}:policy/gone`;
    await gateway.allow('alice', EVERYTHING, { attachedPolicyArns: [gone] });
    expect(await bucket.statusOf('alice')).toBe(403);
  });

  it('row 34: a stored policy that cannot be read denies, and the root can replace it', async () => {
    await gateway.allow('alice', EVERYTHING);
    for (const broken of ['{"Statement":[]}', '', { not: 'a text' }]) {
      await gateway.configure(BUCKET, 'policy', broken);
      expect([await bucket.statusOf('alice'), await bucket.statusOf('owner')]).toEqual([403, 403]);
    }
    const replaced = await gateway.call('owner', { method: 'DELETE', target: `/${BUCKET}?policy` });
    expect(replaced.status).not.toBe(403);
  });

  it('a missing bucket is no secret, whoever asks', async () => {
    for (const caller of ['owner', 'bob', 'nobody'] as const) {
      const answer = await bucket.get(caller, '/no-such-bucket/key');
      expect([answer.status, answer.code]).toEqual([404, 'NoSuchBucket']);
    }
  });

  it('P-4: nobody but the root mends a policy that denies everything', async () => {
    await bucket.setPolicy({
      Effect: 'Deny',
      Principal: '*',
      Action: 's3:*',
      Resource: [`arn:aws:s3:::${BUCKET}`, `arn:aws:s3:::${BUCKET}/*`],
    });
    await gateway.allow('alice', EVERYTHING);
    expect(await bucket.statusOf('alice', `/${BUCKET}?policy`)).toBe(403);
    expect(await bucket.statusOf('owner', `/${BUCKET}?policy`)).not.toBe(403);
    expect(await bucket.statusOf('owner', `/${BUCKET}?acl`)).toBe(403);
  });
});

describe('conditions see the request as it is', () => {
  const under = (Condition: object): Promise<void> =>
    bucket.setPolicy({ ...READ, Principal: '*', Condition });

  it('row 32: aws:SourceIp is the peer, whatever the client says', async () => {
    await under({ IpAddress: { 'aws:SourceIp': '203.0.113.0/24' } });
    const forwarded = { 'x-forwarded-for': '203.0.113.1', 'x-real-ip': '203.0.113.1' };
    expect(await bucket.statusOf('nobody', undefined, forwarded)).toBe(403);
    await under({ IpAddress: { 'aws:SourceIp': '127.0.0.1' } });
    expect(await bucket.statusOf('nobody', undefined, forwarded)).toBe(200);
    await under({ Bool: { 'aws:SecureTransport': 'true' } });
    expect(await bucket.statusOf('nobody', undefined, { 'x-forwarded-proto': 'https' })).toBe(403);
  });

  it('row 31: headers never become keys of identities', async () => {
    const spoofed = {
      userid: 'AIDAALICE',
      'aws:userid': 'AIDAALICE',
      'aws-username': 'alice',
      groups: 'admins',
      'jwt:groups': 'admins',
      principalarn: ALICE_ARN,
      'aws:principalarn': ALICE_ARN,
    };
    const legal = Object.fromEntries(
      Object.entries(spoofed).filter(([name]) => !name.includes(':')),
    );
    for (const condition of [
      { StringEquals: { 'aws:userid': 'AIDAALICE' } },
      { StringEquals: { 'aws:username': 'alice' } },
      { ArnEquals: { 'aws:PrincipalArn': ALICE_ARN } },
      { StringEquals: { 'jwt:groups': 'admins' } },
      { StringEquals: { 'ldap:groups': 'admins' } },
    ]) {
      await under(condition);
      expect(await bucket.statusOf('nobody', '/guarded/key?userid=AIDAALICE', legal)).toBe(403);
    }
    await under({ StringEquals: { 'aws:username': 'alice' } });
    expect(await bucket.statusOf('alice')).toBe(200);
  });

  it.each<readonly [object, Readonly<Record<string, string>>]>([
    [{ StringEquals: { 'aws:Referer': 'http://a.example/' } }, { referer: 'http://a.example/' }],
    [{ StringLike: { 'aws:UserAgent': 'agent/*' } }, { 'user-agent': 'agent/1' }],
    [{ StringEquals: { 's3:if-none-match': '"x"' } }, { 'if-none-match': '"x"' }],
  ])('%j holds with %j only', async (condition, headers) => {
    await under(condition);
    expect(await bucket.statusOf('nobody', undefined, headers)).toBe(200);
    expect(await bucket.statusOf('nobody', undefined, { 'user-agent': 'other' })).toBe(403);
  });

  it('s3:authType and s3:signatureversion tell how a request was signed', async () => {
    await under({
      StringEquals: { 's3:authType': 'REST-HEADER', 's3:signatureversion': 'AWS4-HMAC-SHA256' },
      NumericLessThan: { 's3:signatureAge': '900000' },
    });
    expect([await bucket.statusOf('alice'), await bucket.statusOf('nobody')]).toEqual([200, 403]);
  });

  it('s3:ExistingObjectTag is read from the object', async () => {
    await under({ StringEquals: { 's3:ExistingObjectTag/team': 'a' } });
    expect(await bucket.statusOf('nobody', `/${BUCKET}/tagged`)).toBe(200);
    expect(await bucket.statusOf('nobody')).toBe(403);
    expect(await bucket.statusOf('nobody', `/${BUCKET}/missing`)).toBe(403);
  });

  it('s3:ExistingObjectTag guards the tags themselves', async () => {
    await gateway.allow(
      'alice',
      policyText(
        { Effect: 'Allow', Action: 's3:*', Resource: '*' },
        {
          Effect: 'Deny',
          Action: ['s3:PutObjectTagging', 's3:DeleteObjectTagging', 's3:DeleteObject'],
          Resource: '*',
          Condition: { StringEquals: { 's3:ExistingObjectTag/team': 'a' } },
        },
      ),
    );
    const body = '<Tagging><TagSet></TagSet></Tagging>';
    const tagging = `/${BUCKET}/tagged?tagging`;
    const remove = '<Delete><Object><Key>tagged</Key></Object></Delete>';
    const attempts = [
      await gateway.call('alice', { method: 'PUT', target: tagging, body }),
      await gateway.call('alice', { method: 'DELETE', target: tagging }),
      await gateway.call('alice', { method: 'DELETE', target: `/${BUCKET}/tagged` }),
      await gateway.call('alice', { method: 'POST', target: `/${BUCKET}?delete`, body: remove }),
    ];
    expect(attempts.map(({ code }) => code)).toEqual(Array(4).fill('AccessDenied'));
  });

  it('s3:RequestObjectTag is read from the header and from the body', async () => {
    const resource = `arn:aws:s3:::${BUCKET}/*`;
    await gateway.allow(
      'alice',
      policyText(
        { Effect: 'Allow', Action: 's3:PutObject', Resource: resource },
        {
          Effect: 'Allow',
          Action: 's3:PutObjectTagging',
          Resource: resource,
          Condition: {
            StringEquals: { 's3:RequestObjectTag/team': 'a' },
            'ForAllValues:StringEquals': { 's3:RequestObjectTagKeys': ['team'] },
          },
        },
      ),
    );
    const put = async (tagging: string): Promise<number> => {
      const headers = { 'x-amz-tagging': tagging };
      const target = `/${BUCKET}/new`;
      return (await gateway.call('alice', { method: 'PUT', target, headers, body: 'x' })).status;
    };
    const tag = (key: string, value: string): string =>
      `<Tag><Key>${key}</Key><Value>${value}</Value></Tag>`;
    const set = async (tags: string): Promise<number> => {
      const body = `<Tagging><TagSet>${tags}</TagSet></Tagging>`;
      const target = `/${BUCKET}/new?tagging`;
      return (await gateway.call('alice', { method: 'PUT', target, body })).status;
    };
    expect([await put('team=a'), await put('team=b'), await put('team=a&x=y')]).toEqual([
      200, 403, 403,
    ]);
    expect(await set(tag('team', 'a'))).toBe(200);
    expect(await set(tag('team', 'b'))).toBe(403);
    expect(await set(tag('team', 'a') + tag('x', 'y'))).toBe(403);
  });

  it('s3:RequestObjectTag is asked of s3:PutObject too, by PUT and by parts', async () => {
    const tagged = {
      Effect: 'Allow',
      Action: ['s3:PutObject', 's3:PutObjectTagging'],
      Resource: `arn:aws:s3:::${BUCKET}/*`,
      Condition: { StringEquals: { 's3:RequestObjectTag/team': 'a' } },
    };
    const all = { ...tagged, Condition: {} };
    const deny = { ...tagged, Effect: 'Deny', Action: 's3:PutObject' };
    const statusOf = async (method: string, target: string, tagging = ''): Promise<number> => {
      const headers = tagging === '' ? {} : { 'x-amz-tagging': tagging };
      return (await gateway.call('alice', { method, target, headers })).status;
    };
    for (const [method, target] of [
      ['PUT', `/${BUCKET}/new`],
      ['POST', `/${BUCKET}/new?uploads`],
    ] as const) {
      await gateway.allow('alice', policyText(tagged));
      expect(await statusOf(method, target, 'team=a')).toBe(200);
      expect(await statusOf(method, target, 'team=b')).toBe(403);
      expect(await statusOf(method, target)).toBe(403);
      await gateway.allow('alice', policyText(all, deny));
      expect(await statusOf(method, target, 'team=a')).toBe(403);
      expect(await statusOf(method, target, 'team=b')).toBe(200);
      expect(await statusOf(method, target)).toBe(200);
    }
  });

  it('P-11: s3:prefix, s3:delimiter and s3:max-keys are what the request says', async () => {
    const list = { ...LIST, Principal: '*' };
    const conditioned = (Condition: object): Promise<void> =>
      bucket.setPolicy({ ...list, Condition });
    await conditioned({ StringEquals: { 's3:prefix': ['', 'home/'], 's3:delimiter': '/' } });
    const statuses = async (...queries: readonly string[]): Promise<number[]> => {
      const found: number[] = [];
      for (const query of queries)
        found.push(await bucket.statusOf('nobody', `/${BUCKET}?${query}`));
      return found;
    };
    expect(
      await statuses('delimiter=/', 'prefix=home/&delimiter=/', 'prefix=x&delimiter=/', 'prefix='),
    ).toEqual([200, 200, 403, 403]);
    await conditioned({ NumericLessThanEquals: { 's3:max-keys': '10' } });
    expect(await statuses('max-keys=10', 'max-keys=11', 'list-type=2')).toEqual([200, 403, 403]);
  });

  it('s3:x-amz-copy-source is the source as it is decoded (row 12)', async () => {
    await gateway.allow(
      'alice',
      policyText(
        { Effect: 'Allow', Action: 's3:*', Resource: '*' },
        {
          Effect: 'Deny',
          Action: 's3:PutObject',
          Resource: '*',
          Condition: { StringLike: { 's3:x-amz-copy-source': `${BUCKET}/key` } },
        },
      ),
    );
    for (const source of [
      'guarded/key',
      '/guarded/key',
      '/guarded/%6bey',
      'guarded/key?versionId=null',
    ]) {
      const headers = { 'x-amz-copy-source': source };
      const answer = await gateway.call('alice', {
        method: 'PUT',
        target: `/${BUCKET}/c`,
        headers,
      });
      expect([source, answer.status]).toEqual([source, 403]);
    }
  });
});

describe('P-3: what is not there', () => {
  const missing = `/${BUCKET}/missing`;

  it('is told to those only who could have listed it', async () => {
    await bucket.setPolicy({ ...READ, Principal: '*' });
    expect((await bucket.get('nobody', missing)).code).toBe('AccessDenied');
    await bucket.setPolicy({ ...READ, Principal: '*' }, { ...LIST, Principal: '*' });
    expect((await bucket.get('nobody', missing)).code).toBe('NoSuchKey');
    await bucket.setPolicy(
      { ...READ, Principal: '*' },
      { ...LIST, Principal: '*', Action: 's3:ListBucket' },
    );
    expect((await bucket.get('nobody', missing)).code).toBe('NoSuchKey');
  });

  it('If-Match of a write tells it to nobody else either', async () => {
    const write = (...extra: readonly string[]): Promise<void> =>
      gateway.allow(
        'alice',
        policyText({
          Effect: 'Allow',
          Action: ['s3:PutObject', 's3:GetObject', ...extra],
          Resource: '*',
        }),
      );
    const copy = { 'x-amz-copy-source': `/${BUCKET}/key` };
    for (const headers of [{ 'if-match': '"x"' }, { 'if-match': '"x"', ...copy }]) {
      const put = { method: 'PUT', target: missing, headers };
      await write();
      expect((await gateway.call('alice', put)).code).toBe('AccessDenied');
      await write('s3:ListBucket');
      expect((await gateway.call('alice', put)).code).toBe('NoSuchKey');
    }
  });

  it('for versions that is s3:ListBucketVersions', async () => {
    const target = `${missing}?versionId=null`;
    const read = { ...READ, Principal: '*', Action: 's3:GetObjectVersion' };
    await bucket.setPolicy(read, { ...LIST, Principal: '*', Action: 's3:ListBucket' });
    expect((await bucket.get('nobody', target)).code).toBe('AccessDenied');
    await bucket.setPolicy(read, { ...LIST, Principal: '*', Action: 's3:ListBucketVersions' });
    expect((await bucket.get('nobody', target)).code).toBe('NoSuchVersion');
  });

  it('row 36: no condition of a request tells it either', async () => {
    const conditions = [
      {},
      { 'if-match': '"x"' },
      { 'if-none-match': '*' },
      { 'if-modified-since': 'Thu, 01 Jan 1970 00:00:00 GMT' },
      { 'if-unmodified-since': 'Thu, 01 Jan 1970 00:00:00 GMT' },
      { range: 'bytes=0-0' },
    ];
    const shape = async (
      method: string,
      target: string,
      headers: object,
    ): Promise<readonly unknown[]> => {
      const { status, code, body } = await gateway.call('nobody', {
        method,
        target,
        headers: { ...headers },
      });
      return [status, code, body.toString().replaceAll(/<(Resource|RequestId)>[^<]*/g, '')];
    };
    for (const method of ['GET', 'HEAD']) {
      for (const headers of conditions) {
        const there = await shape(method, `/${BUCKET}/key`, headers);
        expect(await shape(method, missing, headers)).toEqual(there);
        expect(there[0]).toBe(403);
      }
    }
    // Who may read but not list: the same for all that is not there.
    await bucket.setPolicy({ ...READ, Principal: '*' });
    for (const headers of conditions) {
      const [status, code] = await shape('GET', missing, headers);
      expect([status, code]).toEqual([403, 'AccessDenied']);
    }
  });
});
