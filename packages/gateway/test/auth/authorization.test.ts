import type { AccessControlList } from '../../src/s3/access-control-list';
import { ALL_USERS_URI, AUTHENTICATED_USERS_URI } from '../../src/s3/access-control-list';
import type { Answer } from '../support/test-gateway';
import type { Caller } from './account-gateway';
import { AccountGateway, ALICE_ARN, BOB_ARN, OTHER_ACCOUNT, OWNER } from './account-gateway';
import { policyText } from './policy/policy-fixture';

const BUCKET = 'guarded';
const EVERYTHING = policyText({ Effect: 'Allow', Action: '*', Resource: '*' });
const NOTHING = policyText({ Effect: 'Allow', Action: 'iam:GetUser', Resource: '*' });
const NOT_BLOCKED = {
  blockPublicAcls: false,
  ignorePublicAcls: false,
  blockPublicPolicy: false,
  restrictPublicBuckets: false,
};

let gateway: AccountGateway;

beforeAll(async () => {
  gateway = await AccountGateway.start({ trustedProxies: ['192.0.2.0/24'] });
  await gateway.arrange('PUT', `/${BUCKET}`);
  await gateway.arrange('PUT', `/${BUCKET}/key`, 'bytes');
  await gateway.arrange('PUT', `/${BUCKET}/tagged`, 'bytes', { 'x-amz-tagging': 'team=a' });
});

beforeEach(async () => {
  await gateway.allow('alice', NOTHING);
  await gateway.allow('bob', NOTHING);
  for (const name of ['policy', 'acl', 'request-payment'] as const) {
    await gateway.configure(BUCKET, name, null);
  }
  await gateway.configure(BUCKET, 'public-access-block', NOT_BLOCKED);
  await gateway.configure(BUCKET, 'ownership', 'BucketOwnerEnforced');
});

afterAll(() => gateway.close());

function get(caller: Caller, target = `/${BUCKET}/key`, headers = {}): Promise<Answer> {
  return gateway.call(caller, { method: 'GET', target, headers });
}

async function statusOf(caller: Caller, target?: string, headers = {}): Promise<number> {
  return (await get(caller, target, headers)).status;
}

function setPolicy(...statements: readonly object[]): Promise<void> {
  return gateway.configure(BUCKET, 'policy', policyText(...statements));
}

const READ = { Effect: 'Allow', Action: 's3:GetObject', Resource: `arn:aws:s3:::${BUCKET}/*` };
const LIST = { Effect: 'Allow', Action: 's3:List*', Resource: `arn:aws:s3:::${BUCKET}` };

describe('P-1: identities and the policy of a bucket', () => {
  it('lets nobody in but the owner when nothing is said', async () => {
    const callers: readonly Caller[] = ['owner', 'alice', 'other', 'bob', 'nobody'];
    const statuses = await Promise.all(callers.map((caller) => statusOf(caller)));
    expect(statuses).toEqual([200, 403, 403, 403, 403]);
  });

  it('lets other accounts in when both sides agree, and only then', async () => {
    await gateway.allow('bob', EVERYTHING);
    expect([await statusOf('bob'), await statusOf('other')]).toEqual([403, 403]);
    await setPolicy({ ...READ, Principal: { AWS: OTHER_ACCOUNT.accountId } });
    expect([await statusOf('bob'), await statusOf('other')]).toEqual([200, 200]);
    await gateway.allow('bob', NOTHING);
    expect([await statusOf('bob'), await statusOf('other')]).toEqual([403, 200]);
    expect(await statusOf('alice')).toBe(403);
  });

  it('P-2: a denial on either side wins', async () => {
    const denial = { Effect: 'Deny', Action: 's3:GetObject', Resource: '*' };
    await gateway.allow('alice', policyText(denial));
    await setPolicy({ ...READ, Principal: { AWS: ALICE_ARN } });
    expect(await statusOf('alice')).toBe(403);
    await gateway.allow('alice', EVERYTHING);
    expect(await statusOf('alice')).toBe(200);
    await setPolicy({ ...denial, Principal: '*', Resource: `arn:aws:s3:::${BUCKET}/*` });
    expect([await statusOf('alice'), await statusOf('owner')]).toEqual([403, 403]);
  });

  it('groups, managed policies and boundaries count; what is gone denies', async () => {
    const full = 'arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess';
    await gateway.allow('alice', NOTHING, { attachedPolicyArns: [full] });
    expect(await statusOf('alice')).toBe(200);
    const iamOnly = 'arn:aws:iam::aws:policy/IAMFullAccess';
    await gateway.allow('alice', EVERYTHING, { permissionsBoundaryArn: iamOnly });
    expect(await statusOf('alice')).toBe(403);
    const gone = `arn:aws:iam::${OWNER.accountId}:policy/gone`;
    await gateway.allow('alice', EVERYTHING, { attachedPolicyArns: [gone] });
    expect(await statusOf('alice')).toBe(403);
  });

  it('row 34: a stored policy that cannot be read denies, and the root can replace it', async () => {
    await gateway.allow('alice', EVERYTHING);
    for (const broken of ['{"Statement":[]}', '', { not: 'a text' }]) {
      await gateway.configure(BUCKET, 'policy', broken);
      expect([await statusOf('alice'), await statusOf('owner')]).toEqual([403, 403]);
    }
    const replaced = await gateway.call('owner', { method: 'DELETE', target: `/${BUCKET}?policy` });
    expect(replaced.status).not.toBe(403);
  });

  it('a missing bucket is no secret, whoever asks', async () => {
    for (const caller of ['owner', 'bob', 'nobody'] as const) {
      const answer = await get(caller, '/no-such-bucket/key');
      expect([answer.status, answer.code]).toEqual([404, 'NoSuchBucket']);
    }
  });

  it('P-4: nobody but the root mends a policy that denies everything', async () => {
    await setPolicy({
      Effect: 'Deny',
      Principal: '*',
      Action: 's3:*',
      Resource: [`arn:aws:s3:::${BUCKET}`, `arn:aws:s3:::${BUCKET}/*`],
    });
    await gateway.allow('alice', EVERYTHING);
    expect(await statusOf('alice', `/${BUCKET}?policy`)).toBe(403);
    expect(await statusOf('owner', `/${BUCKET}?policy`)).not.toBe(403);
    expect(await statusOf('owner', `/${BUCKET}?acl`)).toBe(403);
  });
});

describe('conditions see the request as it is', () => {
  const under = (Condition: object): Promise<void> =>
    setPolicy({ ...READ, Principal: '*', Condition });

  it('row 32: aws:SourceIp is the peer, whatever the client says', async () => {
    await under({ IpAddress: { 'aws:SourceIp': '203.0.113.0/24' } });
    const forwarded = { 'x-forwarded-for': '203.0.113.1', 'x-real-ip': '203.0.113.1' };
    expect(await statusOf('nobody', undefined, forwarded)).toBe(403);
    await under({ IpAddress: { 'aws:SourceIp': '127.0.0.1' } });
    expect(await statusOf('nobody', undefined, forwarded)).toBe(200);
    await under({ Bool: { 'aws:SecureTransport': 'true' } });
    expect(await statusOf('nobody', undefined, { 'x-forwarded-proto': 'https' })).toBe(403);
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
      expect(await statusOf('nobody', '/guarded/key?userid=AIDAALICE', legal)).toBe(403);
    }
    await under({ StringEquals: { 'aws:username': 'alice' } });
    expect(await statusOf('alice')).toBe(200);
  });

  it.each<readonly [object, Readonly<Record<string, string>>]>([
    [{ StringEquals: { 'aws:Referer': 'http://a.example/' } }, { referer: 'http://a.example/' }],
    [{ StringLike: { 'aws:UserAgent': 'agent/*' } }, { 'user-agent': 'agent/1' }],
    [{ StringEquals: { 's3:if-none-match': '"x"' } }, { 'if-none-match': '"x"' }],
  ])('%j holds with %j only', async (condition, headers) => {
    await under(condition);
    expect(await statusOf('nobody', undefined, headers)).toBe(200);
    expect(await statusOf('nobody', undefined, { 'user-agent': 'other' })).toBe(403);
  });

  it('s3:authType and s3:signatureversion tell how a request was signed', async () => {
    await under({
      StringEquals: { 's3:authType': 'REST-HEADER', 's3:signatureversion': 'AWS4-HMAC-SHA256' },
      NumericLessThan: { 's3:signatureAge': '900000' },
    });
    expect([await statusOf('alice'), await statusOf('nobody')]).toEqual([200, 403]);
  });

  it('s3:ExistingObjectTag is read from the object', async () => {
    await under({ StringEquals: { 's3:ExistingObjectTag/team': 'a' } });
    expect(await statusOf('nobody', `/${BUCKET}/tagged`)).toBe(200);
    expect(await statusOf('nobody')).toBe(403);
    expect(await statusOf('nobody', `/${BUCKET}/missing`)).toBe(403);
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

  it('P-11: s3:prefix, s3:delimiter and s3:max-keys are what the request says', async () => {
    const list = { ...LIST, Principal: '*' };
    const conditioned = (Condition: object): Promise<void> => setPolicy({ ...list, Condition });
    await conditioned({ StringEquals: { 's3:prefix': ['', 'home/'], 's3:delimiter': '/' } });
    const statuses = async (...queries: readonly string[]): Promise<number[]> => {
      const found: number[] = [];
      for (const query of queries) found.push(await statusOf('nobody', `/${BUCKET}?${query}`));
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
    await setPolicy({ ...READ, Principal: '*' });
    expect((await get('nobody', missing)).code).toBe('AccessDenied');
    await setPolicy({ ...READ, Principal: '*' }, { ...LIST, Principal: '*' });
    expect((await get('nobody', missing)).code).toBe('NoSuchKey');
    await setPolicy(
      { ...READ, Principal: '*' },
      { ...LIST, Principal: '*', Action: 's3:ListBucket' },
    );
    expect((await get('nobody', missing)).code).toBe('NoSuchKey');
  });

  it('for versions that is s3:ListBucketVersions', async () => {
    const target = `${missing}?versionId=null`;
    const read = { ...READ, Principal: '*', Action: 's3:GetObjectVersion' };
    await setPolicy(read, { ...LIST, Principal: '*', Action: 's3:ListBucket' });
    expect((await get('nobody', target)).code).toBe('AccessDenied');
    await setPolicy(read, { ...LIST, Principal: '*', Action: 's3:ListBucketVersions' });
    expect((await get('nobody', target)).code).toBe('NoSuchVersion');
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
    await setPolicy({ ...READ, Principal: '*' });
    for (const headers of conditions) {
      const [status, code] = await shape('GET', missing, headers);
      expect([status, code]).toEqual([403, 'AccessDenied']);
    }
  });
});

describe('P-5: Block Public Access', () => {
  const block = (change: Partial<typeof NOT_BLOCKED>): Promise<void> =>
    gateway.configure(BUCKET, 'public-access-block', { ...NOT_BLOCKED, ...change });

  it('RestrictPublicBuckets leaves a public policy to the account of the owner', async () => {
    await gateway.allow('bob', EVERYTHING);
    await gateway.allow('alice', EVERYTHING);
    // The second statement is not public, and cut as well.
    await setPolicy({ ...READ, Principal: '*' }, { ...READ, Principal: { AWS: BOB_ARN } });
    const callers: readonly Caller[] = ['owner', 'alice', 'other', 'bob', 'nobody'];
    const statuses = (): Promise<number[]> =>
      Promise.all(callers.map((caller) => statusOf(caller)));
    expect(await statuses()).toEqual([200, 200, 200, 200, 200]);
    await block({ restrictPublicBuckets: true });
    expect(await statuses()).toEqual([200, 200, 403, 403, 403]);
    await setPolicy({ ...READ, Principal: { AWS: BOB_ARN } });
    expect(await statuses()).toEqual([200, 200, 403, 200, 403]);
  });

  it('row 29: no way to list leads around it', async () => {
    await setPolicy({ ...LIST, Principal: '*' });
    const targets = ['', '?list-type=2', '?versions', '?uploads'].map(
      (query) => `/${BUCKET}${query}`,
    );
    for (const target of targets) expect(await statusOf('nobody', target)).toBe(200);
    await block({ restrictPublicBuckets: true });
    for (const target of targets) expect(await statusOf('nobody', target)).toBe(403);
  });

  it('the account’s settings hold for its buckets', async () => {
    await setPolicy({ ...READ, Principal: '*' });
    const record = {
      ...OWNER,
      email: '',
      createdMs: 0,
      isDeclared: false,
      publicAccessBlock: JSON.stringify({ ...NOT_BLOCKED, restrictPublicBuckets: true }),
    };
    const { accountId, canonicalId, displayName, email, createdMs, isDeclared } = record;
    const account = { accountId, canonicalId, displayName, email, createdMs, isDeclared };
    const put = (publicAccessBlock: string | null): Promise<void> =>
      gateway.commit([
        { kind: 'account', name: accountId, record: { ...account, publicAccessBlock } },
      ]);
    await put(record.publicAccessBlock);
    expect(await statusOf('nobody')).toBe(403);
    await put(null);
    expect(await statusOf('nobody')).toBe(200);
  });
});

describe('P-7, P-8: access control lists', () => {
  const everybody = { type: 'group', uri: ALL_USERS_URI } as const;
  const accounts = { type: 'group', uri: AUTHENTICATED_USERS_URI } as const;
  const other = { type: 'canonical-user', canonicalId: OTHER_ACCOUNT.canonicalId } as const;
  const owner = { type: 'canonical-user', canonicalId: OWNER.canonicalId } as const;
  type Permission = AccessControlList['grants'][number]['permission'];
  type Grantee = AccessControlList['grants'][number]['grantee'];

  const grant = (grantee: Grantee, permission: Permission): Promise<void> =>
    gateway.configure(BUCKET, 'acl', {
      grants: [
        { grantee: owner, permission: 'FULL_CONTROL' },
        { grantee, permission },
      ],
    });

  async function mayDo(caller: Caller): Promise<string> {
    const attempts = [
      ['list', 'GET', `/${BUCKET}?list-type=2`, ''],
      ['versions', 'GET', `/${BUCKET}?versions`, ''],
      ['uploads', 'GET', `/${BUCKET}?uploads`, ''],
      ['write', 'PUT', `/${BUCKET}/written`, 'x'],
      ['acl', 'GET', `/${BUCKET}?acl`, ''],
      ['read', 'GET', `/${BUCKET}/key`, ''],
      ['delete', 'DELETE', `/${BUCKET}/key-of-owner`, ''],
      ['policy', 'GET', `/${BUCKET}?policy`, ''],
    ] as const;
    const allowed: string[] = [];
    for (const [name, method, target, body] of attempts) {
      const { status } = await gateway.call(caller, { method, target, body });
      if (status !== 403) allowed.push(name);
    }
    return allowed.join(' ');
  }

  beforeEach(async () => {
    await gateway.configure(BUCKET, 'ownership', 'ObjectWriter');
    await gateway.arrange('PUT', `/${BUCKET}/key-of-owner`, 'x');
  });

  it.each<readonly [Permission, string]>([
    ['READ', 'list versions uploads'],
    ['WRITE', 'write'],
    ['READ_ACP', 'acl'],
    ['WRITE_ACP', ''],
    ['FULL_CONTROL', 'list versions uploads write acl'],
  ])('%s of a bucket allows: %s', async (permission, allowed) => {
    await grant(other, permission);
    expect(await mayDo('other')).toBe(allowed);
    expect(await mayDo('nobody')).toBe('');
    await gateway.allow('bob', NOTHING);
    expect(await mayDo('bob')).toBe('');
    await gateway.allow('bob', EVERYTHING);
    expect(await mayDo('bob')).toBe(allowed);
    await grant(everybody, permission);
    expect(await mayDo('nobody')).toBe(allowed);
    await grant(accounts, permission);
    expect([await mayDo('nobody'), await mayDo('other')]).toEqual(['', allowed]);
  });

  it('means nothing where ACLs are disabled, or public ones ignored', async () => {
    await grant(everybody, 'READ');
    await gateway.configure(BUCKET, 'public-access-block', {
      ...NOT_BLOCKED,
      ignorePublicAcls: true,
    });
    expect([await mayDo('nobody'), await mayDo('other')]).toEqual(['', '']);
    await grant(other, 'READ');
    expect(await mayDo('other')).toBe('list versions uploads');
    await gateway.configure(BUCKET, 'ownership', 'BucketOwnerEnforced');
    expect(await mayDo('other')).toBe('');
  });

  it('a denial of the policy stands above the list', async () => {
    await grant(everybody, 'READ');
    await setPolicy({ ...LIST, Effect: 'Deny', Principal: '*' });
    expect(await mayDo('nobody')).toBe('');
  });

  it('the list of an object decides about the object', async () => {
    const target = `/${BUCKET}/public`;
    await gateway.arrange('PUT', target, 'x', { 'x-amz-acl': 'public-read' });
    expect([await statusOf('nobody', target), await statusOf('nobody', `${target}?acl`)]).toEqual([
      200, 403,
    ]);
    await gateway.configure(BUCKET, 'ownership', 'BucketOwnerEnforced');
    expect(await statusOf('nobody', target)).toBe(403);
  });

  it('who writes into the bucket of another owns the object, and the bucket’s policy has no say', async () => {
    await grant(other, 'WRITE');
    const target = `/${BUCKET}/foreign`;
    const headers = { 'x-amz-acl': 'private' };
    const put = await gateway.call('other', { method: 'PUT', target, headers, body: 'x' });
    expect(put.status).toBe(200);
    await setPolicy({ ...READ, Principal: '*' });
    expect([await statusOf('nobody', target), await statusOf('owner', target)]).toEqual([403, 403]);
    expect([await statusOf('other', target), await statusOf('nobody')]).toEqual([200, 200]);
    // Its writer may delete it, and so may the owner of the bucket.
    expect((await gateway.call('other', { method: 'DELETE', target })).status).toBe(204);
    await gateway.call('other', { method: 'PUT', target, headers, body: 'x' });
    expect((await gateway.call('owner', { method: 'DELETE', target })).status).toBe(204);
  });

  it('an owner without grants keeps the list itself, and takes them back', async () => {
    await gateway.configure(BUCKET, 'acl', { grants: [] });
    expect(await mayDo('owner')).toBe('acl read delete policy');
    const target = `/${BUCKET}?acl`;
    const headers = { 'x-amz-acl': 'private' };
    expect((await gateway.call('owner', { method: 'PUT', target, headers })).status).toBe(200);
    expect(await mayDo('owner')).toBe('list versions uploads write acl read delete policy');
  });
});

describe('row 28: both sides of a copy', () => {
  const copy = async (caller: Caller, path: string): Promise<number> => {
    const headers = { 'x-amz-copy-source': `/${BUCKET}/key` };
    return (await gateway.call(caller, { method: 'PUT', target: path, headers })).status;
  };

  it('CopyObject and UploadPartCopy need the source as well as the target', async () => {
    const begun = await gateway.arrange('POST', `/${BUCKET}/target?uploads`);
    const upload = /<UploadId>(.*)<\/UploadId>/.exec(begun.body.toString())?.[1] ?? '';
    const target = `/${BUCKET}/target`;
    for (const path of [target, `${target}?partNumber=1&uploadId=${upload}`]) {
      const write = {
        Effect: 'Allow',
        Action: 's3:PutObject',
        Resource: `arn:aws:s3:::${BUCKET}/target`,
      };
      const read = {
        Effect: 'Allow',
        Action: 's3:GetObject',
        Resource: `arn:aws:s3:::${BUCKET}/key`,
      };
      await gateway.allow('alice', policyText(write));
      expect(await copy('alice', path)).toBe(403);
      await gateway.allow('alice', policyText(read));
      expect(await copy('alice', path)).toBe(403);
      await gateway.allow('alice', policyText(read, write));
      expect(await copy('alice', path)).toBe(200);
    }
  });

  it('P-3: a source that is not there is no secret to those only who may list it', async () => {
    await gateway.allow(
      'alice',
      policyText({ Effect: 'Allow', Action: ['s3:GetObject', 's3:PutObject'], Resource: '*' }),
    );
    const headers = { 'x-amz-copy-source': `/${BUCKET}/missing` };
    const call = { method: 'PUT', target: `/${BUCKET}/target`, headers };
    expect((await gateway.call('alice', call)).code).toBe('AccessDenied');
    await gateway.allow('alice', EVERYTHING);
    expect((await gateway.call('alice', call)).code).toBe('NoSuchKey');
  });
});

describe('POST object', () => {
  const post = (bucket: string, fields: Readonly<Record<string, string>>): Promise<Answer> => {
    const boundary = 'a-boundary';
    const parts = [...Object.entries(fields), ['file', 'bytes'] as const].map(
      ([name, value]) =>
        `--${boundary}\r\ncontent-disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`,
    );
    return gateway.call('nobody', {
      method: 'POST',
      target: `/${bucket}`,
      headers: { 'content-type': `multipart/form-data; boundary=${boundary}` },
      body: `${parts.join('')}--${boundary}--\r\n`,
    });
  };
  const allow = (...Action: readonly string[]): Promise<void> =>
    setPolicy({ ...READ, Principal: '*', Action, Resource: `arn:aws:s3:::${BUCKET}/form/*` });

  it('row 15: who may only read may not post', async () => {
    expect((await post(BUCKET, { key: 'form/a' })).status).toBe(403);
    await allow('s3:Get*', 's3:PutObjectAcl', 's3:PutObjectTagging', 's3:DeleteObject');
    expect((await post(BUCKET, { key: 'form/a' })).status).toBe(403);
    await allow('s3:PutObject');
    expect((await post(BUCKET, { key: 'form/a' })).status).toBe(204);
  });

  it('rows 14 and 17: the form names the key, the address the bucket, and both are asked for', async () => {
    await allow('s3:PutObject');
    expect((await post(BUCKET, { key: 'elsewhere' })).status).toBe(403);
    expect((await post(BUCKET, { key: 'form/../elsewhere' })).status).toBe(204);
    expect((await get('owner', `/${BUCKET}/elsewhere`)).status).toBe(404);
    await gateway.arrange('PUT', '/private-bucket');
    const answer = await post('private-bucket', { bucket: BUCKET, key: 'form/a' });
    expect(answer.status).toBeGreaterThanOrEqual(400);
    expect((await get('owner', '/private-bucket/form/a')).status).toBe(404);
  });

  it('tags and ACLs in the form need what they need elsewhere', async () => {
    await allow('s3:PutObject');
    expect((await post(BUCKET, { key: 'form/b', acl: 'bucket-owner-full-control' })).status).toBe(
      403,
    );
    await allow('s3:PutObject', 's3:PutObjectAcl');
    expect((await post(BUCKET, { key: 'form/b', acl: 'bucket-owner-full-control' })).status).toBe(
      204,
    );
  });
});
