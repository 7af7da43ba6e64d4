import type { AccessControlList } from '../../src/s3/access-control-list';
import { ALL_USERS_URI, AUTHENTICATED_USERS_URI } from '../../src/s3/access-control-list';
import type { Answer } from '../support/test-gateway';
import type { AccountGateway, Caller } from './account-gateway';
import { BOB_ARN, OTHER_ACCOUNT, OWNER } from './account-gateway';
import {
  BUCKET,
  EVERYTHING,
  GuardedBucket,
  LIST,
  NOT_BLOCKED,
  NOTHING,
  READ,
} from './guarded-bucket';
import { policyText } from './policy/policy-fixture';

let bucket: GuardedBucket;
let gateway: AccountGateway;

beforeAll(async () => {
  bucket = await GuardedBucket.start();
  ({ gateway } = bucket);
});

beforeEach(() => bucket.reset());

afterAll(() => gateway.close());

describe('P-5: Block Public Access', () => {
  const block = (change: Partial<typeof NOT_BLOCKED>): Promise<void> =>
    gateway.configure(BUCKET, 'public-access-block', { ...NOT_BLOCKED, ...change });

  it('RestrictPublicBuckets leaves a public policy to the account of the owner', async () => {
    await gateway.allow('bob', EVERYTHING);
    await gateway.allow('alice', EVERYTHING);
    // The second statement is not public, and cut as well.
    await bucket.setPolicy({ ...READ, Principal: '*' }, { ...READ, Principal: { AWS: BOB_ARN } });
    const callers: readonly Caller[] = ['owner', 'alice', 'other', 'bob', 'nobody'];
    const statuses = (): Promise<number[]> =>
      Promise.all(callers.map((caller) => bucket.statusOf(caller)));
    expect(await statuses()).toEqual([200, 200, 200, 200, 200]);
    await block({ restrictPublicBuckets: true });
    expect(await statuses()).toEqual([200, 200, 403, 403, 403]);
    await bucket.setPolicy({ ...READ, Principal: { AWS: BOB_ARN } });
    expect(await statuses()).toEqual([200, 200, 403, 200, 403]);
  });

  it('row 29: no way to list leads around it', async () => {
    await bucket.setPolicy({ ...LIST, Principal: '*' });
    const targets = ['', '?list-type=2', '?versions', '?uploads'].map(
      (query) => `/${BUCKET}${query}`,
    );
    for (const target of targets) expect(await bucket.statusOf('nobody', target)).toBe(200);
    await block({ restrictPublicBuckets: true });
    for (const target of targets) expect(await bucket.statusOf('nobody', target)).toBe(403);
  });

  it('the account’s settings hold for its buckets', async () => {
    await bucket.setPolicy({ ...READ, Principal: '*' });
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
    expect(await bucket.statusOf('nobody')).toBe(403);
    await put(null);
    expect(await bucket.statusOf('nobody')).toBe(200);
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

  it('P-3: who may list learns that an object is not there, of whatever has no ACL', async () => {
    const statuses = async (): Promise<number[]> =>
      Promise.all([
        bucket.statusOf('nobody', `/${BUCKET}/missing`),
        bucket.statusOf('other', `/${BUCKET}/missing?acl`),
        bucket.statusOf('nobody', `/${BUCKET}/key-of-owner`),
      ]);
    expect(await statuses()).toEqual([403, 403, 403]);
    await grant(everybody, 'READ');
    expect(await statuses()).toEqual([404, 404, 403]);
    await bucket.setPolicy({ ...LIST, Effect: 'Deny', Principal: '*' });
    expect(await statuses()).toEqual([403, 403, 403]);
  });

  it('P-7: who may write without credentials says who else gets the object', async () => {
    const put = (target: string): Promise<Answer> =>
      gateway.call('nobody', {
        method: 'PUT',
        target: `/${BUCKET}/${target}`,
        headers: { 'x-amz-acl': 'public-read' },
        body: 'x',
      });
    expect((await put('left')).status).toBe(403);
    await grant(everybody, 'WRITE');
    expect((await put('left')).status).toBe(200);
    expect(await bucket.statusOf('other', `/${BUCKET}/left`)).toBe(200);
    // The ACL of an object that is there stays its owner's.
    expect((await put('left?acl')).status).toBe(403);
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
    await bucket.setPolicy({ ...LIST, Effect: 'Deny', Principal: '*' });
    expect(await mayDo('nobody')).toBe('');
  });

  it('the list of an object decides about the object', async () => {
    const target = `/${BUCKET}/public`;
    await gateway.arrange('PUT', target, 'x', { 'x-amz-acl': 'public-read' });
    expect([
      await bucket.statusOf('nobody', target),
      await bucket.statusOf('nobody', `${target}?acl`),
    ]).toEqual([200, 403]);
    await gateway.configure(BUCKET, 'ownership', 'BucketOwnerEnforced');
    expect(await bucket.statusOf('nobody', target)).toBe(403);
  });

  it('who writes into the bucket of another owns the object, and the bucket’s policy has no say', async () => {
    await grant(other, 'WRITE');
    const target = `/${BUCKET}/foreign`;
    const headers = { 'x-amz-acl': 'private' };
    const put = await gateway.call('other', { method: 'PUT', target, headers, body: 'x' });
    expect(put.status).toBe(200);
    await bucket.setPolicy({ ...READ, Principal: '*' });
    expect([
      await bucket.statusOf('nobody', target),
      await bucket.statusOf('owner', target),
    ]).toEqual([403, 403]);
    expect([await bucket.statusOf('other', target), await bucket.statusOf('nobody')]).toEqual([
      200, 200,
    ]);
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
  const post = (
    name: string,
    fields: Readonly<Record<string, string>>,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Answer> => {
    const boundary = 'a-boundary';
    const parts = [...Object.entries(fields), ['file', 'bytes'] as const].map(
      ([name, value]) =>
        `--${boundary}\r\ncontent-disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`,
    );
    return gateway.call('nobody', {
      method: 'POST',
      target: `/${name}`,
      headers: { 'content-type': `multipart/form-data; boundary=${boundary}`, ...headers },
      body: `${parts.join('')}--${boundary}--\r\n`,
    });
  };
  const allow = (...Action: readonly string[]): Promise<void> =>
    bucket.setPolicy({
      ...READ,
      Principal: '*',
      Action,
      Resource: `arn:aws:s3:::${BUCKET}/form/*`,
    });

  it('row 15: who may only read may not post', async () => {
    expect((await post(BUCKET, { key: 'form/a' })).status).toBe(403);
    await allow('s3:Get*', 's3:PutObjectAcl', 's3:PutObjectTagging', 's3:DeleteObject');
    expect((await post(BUCKET, { key: 'form/a' })).status).toBe(403);
    await allow('s3:PutObject');
    expect((await post(BUCKET, { key: 'form/a' })).status).toBe(204);
  });

  it('P-11: conditions are met by what the form says, not by headers that nobody heeds', async () => {
    const said = { 'x-amz-website-redirect-location': '/home' };
    await bucket.setPolicy({
      ...READ,
      Principal: '*',
      Action: 's3:PutObject',
      Resource: `arn:aws:s3:::${BUCKET}/form/*`,
      Condition: { StringEquals: { 's3:x-amz-website-redirect-location': '/home' } },
    });
    expect((await post(BUCKET, { key: 'form/a' }, said)).status).toBe(403);
    const other = { key: 'form/a', 'x-amz-website-redirect-location': '/other' };
    expect((await post(BUCKET, other, said)).status).toBe(403);
    expect((await post(BUCKET, { key: 'form/a', ...said })).status).toBe(204);
  });

  it('rows 14 and 17: the form names the key, the address the bucket, and both are asked for', async () => {
    await allow('s3:PutObject');
    expect((await post(BUCKET, { key: 'elsewhere' })).status).toBe(403);
    expect((await post(BUCKET, { key: 'form/../elsewhere' })).status).toBe(204);
    expect((await bucket.get('owner', `/${BUCKET}/elsewhere`)).status).toBe(404);
    await gateway.arrange('PUT', '/private-bucket');
    const answer = await post('private-bucket', { bucket: BUCKET, key: 'form/a' });
    expect(answer.status).toBeGreaterThanOrEqual(400);
    expect((await bucket.get('owner', '/private-bucket/form/a')).status).toBe(404);
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
