import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { ListUsersCommand, UpdateUserCommand } from '@aws-sdk/client-iam';
import { CreateBucketCommand, ListObjectsV2Command, ListBucketsCommand } from '@aws-sdk/client-s3';
import { GetCallerIdentityCommand } from '@aws-sdk/client-sts';
import { seededRandom, StoreError } from '@azimuth/common';
import type { IdentityChange } from '@azimuth/proto';

import { parseDeclaredIdentities } from '../../src/iam/declared-identities';
import { planDeclaredIdentities } from '../../src/iam/plan-declared-identities';
import { allow, ClusterGateway, refusalOf, ROOT, trust } from '../support/cluster-gateway';
import { identitiesOf } from '../support/identities';

const SECRET = 'canary declared secret';
const CANONICAL_ID = 'ab'.repeat(32);

const ACCOUNT = {
  id: '111122223333',
  canonicalId: CANONICAL_ID,
  displayName: 'tenant',
  email: 'tenant@example.com',
  keys: [{ accessKey: 'TENANTROOT01', secretKey: SECRET }],
  users: [
    {
      name: 'bob',
      keys: [{ accessKey: 'TENANTBOB001', secretKey: `${SECRET} of bob` }],
      policies: { own: JSON.parse(allow('s3:ListAllMyBuckets')) as object },
      groups: ['devs'],
    },
  ],
  groups: [{ name: 'devs', attachedPolicies: ['arn:aws:iam::111122223333:policy/make'] }],
  roles: [{ name: 'r', trustPolicy: trust({ AWS: '111122223333' }) }],
  managedPolicies: [{ name: 'make', document: allow('s3:CreateBucket') }],
};
const FILE = { accounts: [ACCOUNT] };

const tools = { nowMs: 1_000, random: seededRandom(3) };
const planFor = (
  file: unknown,
  changes: readonly IdentityChange[] = [],
  nowMs = 1_000,
): readonly IdentityChange[] =>
  planDeclaredIdentities(parseDeclaredIdentities(JSON.stringify(file)), {
    ...tools,
    nowMs,
    snapshot: identitiesOf(changes),
  });

describe('the plan', () => {
  it('makes what is declared, once', () => {
    const first = planFor(FILE);

    expect(first.map(({ kind, name }) => `${kind} ${name}`).sort()).toEqual([
      'access-key TENANTBOB001',
      'access-key TENANTROOT01',
      'account 111122223333',
      'group 111122223333/devs',
      'policy 111122223333/make',
      'role 111122223333/r',
      'user 111122223333/bob',
    ]);
    expect(planFor(FILE, first, 2_000)).toEqual([]);
  });

  it('keeps ids and ages of what stays, and changes nothing else', () => {
    const first = planFor(FILE);
    const moved = { ...ACCOUNT, users: [{ ...ACCOUNT.users[0], path: '/moved/' }] };
    const second = planFor({ accounts: [moved] }, first, 2_000);
    const [before] = first.filter(({ kind }) => kind === 'user');

    expect(second).toEqual([{ ...before, record: { ...before?.record, path: '/moved/' } }]);
  });

  it('removes what the file names no more, with the keys that the API made for it', () => {
    const first = planFor(FILE);
    const apiKey: IdentityChange = {
      kind: 'access-key',
      name: 'AKIAOFBOB',
      record: {
        accessKeyId: 'AKIAOFBOB',
        secretKey: 's',
        accountId: ACCOUNT.id,
        userName: 'bob',
        isActive: true,
        createdMs: 1,
        isDeclared: false,
      },
    };
    const removed = planFor({ accounts: [] }, [...first, apiKey]);

    expect(removed.map(({ record }) => record)).toEqual(Array(8).fill(null));
    expect(removed.some(({ name }) => name === 'AKIAOFBOB')).toBe(true);
  });

  it('leaves alone what the API made', () => {
    const user: IdentityChange = {
      kind: 'user',
      name: `${ACCOUNT.id}/carol`,
      record: {
        accountId: ACCOUNT.id,
        userName: 'carol',
        userId: 'AIDAC',
        path: '/',
        createdMs: 1,
        isDeclared: false,
        groups: [],
        inlinePolicies: {},
        attachedPolicyArns: [],
        permissionsBoundaryArn: null,
        tags: {},
      },
    };
    const first = planFor(FILE, [user]);

    expect(planFor(FILE, [user, ...first])).toEqual([]);
    expect(first.some(({ name }) => name.endsWith('carol'))).toBe(false);
  });
});

describe('a file that is refused', () => {
  const change = (more: object): string => JSON.stringify({ accounts: [{ ...ACCOUNT, ...more }] });
  const keys = (accessKey: string, secretKey: string): string =>
    change({ keys: [{ accessKey, secretKey }] });

  it.each<[string, string, RegExp]>([
    ['no JSON', `{"accounts": [{"keys": "${SECRET}`, /not valid JSON/],
    ['no accounts', '{}', /accounts/],
    ['an unknown field', change({ colour: 'red' }), /colour/],
    ['a short id', change({ id: '1' }), /12 digits/],
    ['a canonical id of other letters', change({ canonicalId: 'x'.repeat(64) }), /canonical id/],
    ['a well-known secret', keys('TENANTROOT01', 'minioadminminioadmin'), /well known/],
    ['an empty secret', keys('TENANTROOT01', ''), /secretKey/],
    ['a secret that is too short', keys('TENANTROOT01', 'shortsecret'), /at least 16/],
    ['two accounts of an id', JSON.stringify({ accounts: [ACCOUNT, ACCOUNT] }), /twice/],
    ['two users of a name', change({ users: [...ACCOUNT.users, { name: 'BOB' }] }), /twice/],
    ['an unknown group', change({ groups: [] }), /there is no group devs/],
    ['an unknown policy', change({ managedPolicies: [] }), /there is no policy/],
    [
      'a policy that is none',
      change({ managedPolicies: [{ name: 'make', document: '{}' }] }),
      /make|document/,
    ],
    [
      'a trust policy that is none',
      change({ roles: [{ name: 'r', trustPolicy: {} }] }),
      /trustPolicy/,
    ],
  ])('has %s, and the reason says so without its secrets', (_name, text, reason) => {
    let refusal = 'it was accepted';
    try {
      parseDeclaredIdentities(text);
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      refusal = JSON.stringify([error.code, error.detail]);
    }

    expect(refusal).toMatch(reason);
    expect(refusal).toContain('INVALID_ARGUMENT');
    expect(refusal).not.toContain(SECRET);
  });
});

describe('a gateway with a file of identities', () => {
  let directory = '';
  let path = '';
  let gateway: ClusterGateway;

  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'azimuth-identities-'));
    path = join(directory, 'identities.json');
    writeFileSync(path, JSON.stringify(FILE));
    gateway = await ClusterGateway.start({ identitiesFile: path });
    await settled(7);
  });

  afterEach(async () => {
    await gateway.close();
    rmSync(directory, { recursive: true });
  });

  const root = { accessKeyId: 'TENANTROOT01', secretAccessKey: SECRET };
  const bob = { accessKeyId: 'TENANTBOB001', secretAccessKey: `${SECRET} of bob` };

  /** Applying goes on beside; its end shows in what the metadata service has. */
  async function settled(count: number): Promise<void> {
    const { view } = gateway.metadata;
    const total = (): number =>
      (['account', 'user', 'group', 'role', 'policy', 'access-key'] as const)
        .map((kind) => view.identities().list(kind, '').length)
        .reduce((sum, each) => sum + each, 0);
    while (total() !== count) await new Promise((resolve) => setImmediate(resolve));
  }

  it('lets in accounts and users, each with their own', async () => {
    await gateway.s3(root).send(new CreateBucketCommand({ Bucket: 'of-tenant' }));
    await gateway.s3().send(new CreateBucketCommand({ Bucket: 'of-cluster' }));
    await gateway.s3(bob).send(new CreateBucketCommand({ Bucket: 'of-bob' }));
    const { Buckets, Owner } = await gateway.s3(root).send(new ListBucketsCommand({}));
    const identity = await gateway.sts(bob).send(new GetCallerIdentityCommand({}));
    const foreign = gateway.s3(root).send(new ListObjectsV2Command({ Bucket: 'of-cluster' }));

    expect(Buckets?.map(({ Name }) => Name)).toEqual(['of-bob', 'of-tenant']);
    expect(Owner).toMatchObject({ ID: CANONICAL_ID });
    expect(identity.Arn).toBe('arn:aws:iam::111122223333:user/bob');
    expect(await refusalOf(foreign)).toBe('AccessDenied');
  });

  it('keeps accounts apart in IAM (table row 26)', async () => {
    const own = await gateway.iam(root).send(new ListUsersCommand({}));
    const others = await gateway.iam().send(new ListUsersCommand({}));

    expect(own.Users?.map(({ UserName }) => UserName)).toEqual(['bob']);
    expect(others.Users).toEqual([]);
  });

  it('does not let the API change what is declared', async () => {
    const rename = gateway
      .iam(root)
      .send(new UpdateUserCommand({ UserName: 'bob', NewUserName: 'eve' }));

    expect(await refusalOf(rename)).toBe('UnmodifiableEntityException');
  });

  it('follows the file on reload, and keeps what it has when the file is bad', async () => {
    writeFileSync(path, '{"accounts": 1}');
    gateway.service.reload();
    await gateway.s3(bob).send(new ListBucketsCommand({}));
    expect(gateway.log.lines.join('\n')).toContain('identities file refused');

    writeFileSync(path, JSON.stringify({ accounts: [{ ...ACCOUNT, users: [] }] }));
    gateway.service.reload();
    await settled(5);

    expect(await refusalOf(gateway.s3(bob).send(new ListBucketsCommand({})))).toBe(
      'InvalidAccessKeyId',
    );
    await gateway.s3(root).send(new ListBucketsCommand({}));
    expect(gateway.log.lines.join('\n')).not.toContain(SECRET);
  });

  it('does not start with a bad file, nor with the key of the configuration in it', async () => {
    writeFileSync(path, '{}');
    await expect(ClusterGateway.start({ identitiesFile: path })).rejects.toThrow(
      'INVALID_ARGUMENT',
    );
    const keys = [{ accessKey: ROOT.accessKeyId, secretKey: SECRET }];
    writeFileSync(path, JSON.stringify({ accounts: [{ ...ACCOUNT, keys }] }));
    await expect(ClusterGateway.start({ identitiesFile: path })).rejects.toThrow(
      'INVALID_ARGUMENT',
    );
    await expect(ClusterGateway.start({ identitiesFile: '/nowhere' })).rejects.toThrow();
  });
});
