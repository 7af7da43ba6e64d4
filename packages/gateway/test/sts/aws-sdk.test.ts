import {
  CreateAccessKeyCommand,
  CreateRoleCommand,
  CreateUserCommand,
  DeleteRoleCommand,
  DeleteRolePolicyCommand,
  DeleteUserPolicyCommand,
  ListUsersCommand,
  PutRolePolicyCommand,
  PutUserPolicyCommand,
} from '@aws-sdk/client-iam';
import type { IAMClient } from '@aws-sdk/client-iam';
import { CreateBucketCommand, DeleteBucketCommand, ListBucketsCommand } from '@aws-sdk/client-s3';
import {
  AssumeRoleCommand,
  GetAccessKeyInfoCommand,
  GetCallerIdentityCommand,
  GetSessionTokenCommand,
} from '@aws-sdk/client-sts';
import type { AssumeRoleCommandInput, Credentials } from '@aws-sdk/client-sts';

import { allow, ClusterGateway, refusalOf, ROOT, trust } from '../support/cluster-gateway';
import type { Keys } from '../support/cluster-gateway';

let gateway: ClusterGateway;
let iam: IAMClient;
let account = '';

beforeEach(async () => {
  gateway = await ClusterGateway.start();
  iam = gateway.iam();
  account = (await gateway.sts().send(new GetCallerIdentityCommand({}))).Account ?? '';
});

afterEach(() => gateway.close());

function keysOf(credentials: Credentials | undefined): Keys {
  return {
    accessKeyId: credentials?.AccessKeyId ?? '',
    secretAccessKey: credentials?.SecretAccessKey ?? '',
    sessionToken: credentials?.SessionToken ?? '',
  };
}

async function user(UserName: string, policy?: string): Promise<Keys> {
  await iam.send(new CreateUserCommand({ UserName }));
  if (policy !== undefined) {
    const put = { UserName, PolicyName: 'own', PolicyDocument: policy };
    await iam.send(new PutUserPolicyCommand(put));
  }
  const { AccessKey } = await iam.send(new CreateAccessKeyCommand({ UserName }));
  return {
    accessKeyId: AccessKey?.AccessKeyId ?? '',
    secretAccessKey: AccessKey?.SecretAccessKey ?? '',
  };
}

async function role(RoleName: string, trustPolicy: string, policy?: string): Promise<string> {
  const { Role } = await iam.send(
    new CreateRoleCommand({ RoleName, AssumeRolePolicyDocument: trustPolicy }),
  );
  if (policy !== undefined) {
    const put = { RoleName, PolicyName: 'own', PolicyDocument: policy };
    await iam.send(new PutRolePolicyCommand(put));
  }
  return Role?.Arn ?? '';
}

async function assume(
  keys: Keys,
  RoleArn: string,
  more: Partial<AssumeRoleCommandInput> = {},
): Promise<Keys> {
  const answer = await gateway
    .sts(keys)
    .send(new AssumeRoleCommand({ RoleArn, RoleSessionName: 'session', ...more }));
  return keysOf(answer.Credentials);
}

describe('GetCallerIdentity', () => {
  it('tells everybody who they are', async () => {
    const keys = await user('alice');
    const root = await gateway.sts().send(new GetCallerIdentityCommand({}));
    const alice = await gateway.sts(keys).send(new GetCallerIdentityCommand({}));

    expect(root).toMatchObject({ Arn: `arn:aws:iam::${account}:root`, UserId: account });
    expect(alice.Arn).toBe(`arn:aws:iam::${account}:user/alice`);
    expect(alice.UserId).toMatch(/^AIDA/);
  });
});

describe('GetSessionToken', () => {
  it('gives a user what the user has, until the user is gone', async () => {
    const keys = await user('alice', allow('s3:*'));
    const answer = await gateway.sts(keys).send(new GetSessionTokenCommand({}));
    const session = keysOf(answer.Credentials);

    await gateway.s3(session).send(new ListBucketsCommand({}));
    const identity = await gateway.sts(session).send(new GetCallerIdentityCommand({}));
    await iam.send(new DeleteUserPolicyCommand({ UserName: 'alice', PolicyName: 'own' }));
    const narrowed = gateway.s3(session).send(new ListBucketsCommand({}));

    expect(session.accessKeyId).toMatch(/^ASIA/);
    expect(identity.Arn).toBe(`arn:aws:iam::${account}:user/alice`);
    const lifetimeMs = (answer.Credentials?.Expiration?.getTime() ?? 0) - Date.now();
    expect(Math.round(lifetimeMs / 3_600_000)).toBe(12);
    expect(await refusalOf(narrowed)).toBe('AccessDenied');
  });

  it('gives the root an hour at most', async () => {
    const answer = await gateway
      .sts()
      .send(new GetSessionTokenCommand({ DurationSeconds: 43_200 }));
    const lifetimeMs = (answer.Credentials?.Expiration?.getTime() ?? 0) - Date.now();

    await gateway.s3(keysOf(answer.Credentials)).send(new ListBucketsCommand({}));
    expect(Math.round(lifetimeMs / 60_000)).toBe(60);
  });

  it('is no way to make a session longer, or to lose its policies (table row 25)', async () => {
    const keys = await user('alice', allow('sts:AssumeRole'));
    const arn = await role('r', trust({ AWS: account }), allow('*'));
    const answer = await gateway.sts(keys).send(new GetSessionTokenCommand({}));
    const assumed = await assume(keys, arn);

    for (const session of [keysOf(answer.Credentials), assumed]) {
      const again = gateway.sts(session).send(new GetSessionTokenCommand({}));
      expect(await refusalOf(again)).toBe('AccessDenied');
    }
  });

  it.each(['899', '129601'])('refuses %s seconds', async (seconds) => {
    const call = gateway
      .sts()
      .send(new GetSessionTokenCommand({ DurationSeconds: Number(seconds) }));

    expect(await refusalOf(call)).toBe('ValidationError');
  });

  it('is bound to its key: neither token nor secret of another will do', async () => {
    const alice = await user('alice', allow('s3:*'));
    const bob = await user('bob', allow('s3:*'));
    const a = await gateway.sts(alice).send(new GetSessionTokenCommand({}));
    const b = await gateway.sts(bob).send(new GetSessionTokenCommand({}));
    const [ofAlice, ofBob] = [keysOf(a.Credentials), keysOf(b.Credentials)];
    const attempt = (keys: Keys): Promise<string> =>
      refusalOf(gateway.s3(keys).send(new ListBucketsCommand({})));

    expect(await attempt({ ...ofAlice, sessionToken: ofBob.sessionToken ?? '' })).toBe(
      'InvalidToken',
    );
    expect(await attempt({ ...alice, sessionToken: ofAlice.sessionToken ?? '' })).toBe(
      'InvalidToken',
    );
    const { accessKeyId, secretAccessKey } = ofAlice;
    expect(await attempt({ accessKeyId, secretAccessKey })).toBe('InvalidAccessKeyId');
    expect(await attempt({ ...ofAlice, secretAccessKey: alice.secretAccessKey })).toBe(
      'SignatureDoesNotMatch',
    );
  });
});

describe('AssumeRole', () => {
  it('lets in whom the role names, with what the role may do', async () => {
    const keys = await user('alice');
    const arn = await role(
      'reader',
      trust({ AWS: `arn:aws:iam::${account}:user/alice` }),
      allow('s3:ListAllMyBuckets'),
    );
    const session = await assume(keys, arn);

    await gateway.s3(session).send(new ListBucketsCommand({}));
    const write = gateway.s3(session).send(new CreateBucketCommand({ Bucket: 'bucket' }));
    const identity = await gateway.sts(session).send(new GetCallerIdentityCommand({}));

    expect(await refusalOf(write)).toBe('AccessDenied');
    expect(identity.Arn).toBe(`arn:aws:sts::${account}:assumed-role/reader/session`);
    expect(identity.UserId).toMatch(/^AROA[A-Z2-7]{17}:session$/);
  });

  it('needs a policy of the caller where the role names the account alone', async () => {
    const without = await user('alice');
    const having = await user('bob', allow('sts:AssumeRole'));
    const arn = await role('r', trust({ AWS: account }));

    expect(await refusalOf(assume(without, arn))).toBe('AccessDenied');
    await assume(having, arn);
  });

  it('refuses whom the role does not name, whatever their policies say', async () => {
    const keys = await user('alice', allow('*'));
    const arn = await role('r', trust({ AWS: `arn:aws:iam::${account}:user/bob` }));

    expect(await refusalOf(assume(keys, arn))).toBe('AccessDenied');
    expect(await refusalOf(assume(keys, arn.replace(/r$/, 'nobody')))).toBe('AccessDenied');
    expect(await refusalOf(assume(ROOT, arn))).toBe('AccessDenied');
  });

  it('refuses a caller whose own policy denies it', async () => {
    const deny = allow('sts:AssumeRole').replace('Allow', 'Deny');
    const keys = await user('alice', deny);
    const arn = await role('r', trust({ AWS: `arn:aws:iam::${account}:user/alice` }));

    expect(await refusalOf(assume(keys, arn))).toBe('AccessDenied');
  });

  it('asks for the ExternalId that the role demands', async () => {
    const keys = await user('alice');
    const Condition = { StringEquals: { 'sts:ExternalId': 'secret-word' } };
    const alice = { AWS: `arn:aws:iam::${account}:user/alice` };
    const arn = await role('r', trust(alice, 'sts:AssumeRole', { Condition }));

    await assume(keys, arn, { ExternalId: 'secret-word' });
    expect(await refusalOf(assume(keys, arn))).toBe('AccessDenied');
    expect(await refusalOf(assume(keys, arn, { ExternalId: 'other' }))).toBe('AccessDenied');
  });

  it('narrows a session by its policy, and never widens it', async () => {
    const keys = await user('alice');
    const alice = { AWS: `arn:aws:iam::${account}:user/alice` };
    const arn = await role('r', trust(alice), allow(['s3:ListAllMyBuckets', 's3:CreateBucket']));
    const narrow = await assume(keys, arn, { Policy: allow('s3:ListAllMyBuckets') });
    const wide = await assume(keys, arn, { Policy: allow('*') });
    const ofArn = await assume(keys, arn, {
      PolicyArns: [{ arn: 'arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess' }],
    });
    const create = (session: Keys): Promise<string> =>
      refusalOf(gateway.s3(session).send(new CreateBucketCommand({ Bucket: 'bucket' })));

    for (const session of [narrow, wide, ofArn]) {
      await gateway.s3(session).send(new ListBucketsCommand({}));
    }
    expect([await create(narrow), await create(ofArn)]).toEqual(['AccessDenied', 'AccessDenied']);
    expect(await create(wide)).toBe('it was allowed');
    const remove = gateway.s3(wide).send(new DeleteBucketCommand({ Bucket: 'bucket' }));
    expect(await refusalOf(remove)).toBe('AccessDenied');
    expect(await refusalOf(gateway.iam(wide).send(new ListUsersCommand({})))).toBe('AccessDenied');
  });

  it.each<[string, string, Partial<AssumeRoleCommandInput>]>([
    ['more than the role allows', 'ValidationError', { DurationSeconds: 3_601 }],
    ['less than 15 minutes', 'ValidationError', { DurationSeconds: 899 }],
    ['a session name with a slash', 'ValidationError', { RoleSessionName: 'a/b' }],
    ['a session name of one letter', 'ValidationError', { RoleSessionName: 'a' }],
    ['a policy that is none', 'MalformedPolicyDocumentException', { Policy: '{}' }],
    [
      'a policy that is too long',
      'PackedPolicyTooLargeException',
      { Policy: allow('s3:*', `arn:aws:s3:::${'x'.repeat(2_048)}`) },
    ],
    [
      'a policy that is not there',
      'ValidationError',
      { PolicyArns: [{ arn: 'arn:aws:iam::aws:policy/X' }] },
    ],
    ['session tags', 'NotImplemented', { Tags: [{ Key: 'a', Value: 'b' }] }],
    ['a second factor', 'AccessDenied', { SerialNumber: 'GAHT12345678', TokenCode: '123456' }],
  ])('refuses %s as %s', async (_name, code, more) => {
    const keys = await user('alice');
    const arn = await role('r', trust({ AWS: `arn:aws:iam::${account}:user/alice` }));

    expect(await refusalOf(assume(keys, arn, more))).toBe(code);
  });

  it('ends with its role, also when another takes the name', async () => {
    const keys = await user('alice');
    const document = trust({ AWS: `arn:aws:iam::${account}:user/alice` });
    const session = await assume(keys, await role('r', document, allow('s3:*')));
    await gateway.s3(session).send(new ListBucketsCommand({}));
    await iam.send(new DeleteRolePolicyCommand({ RoleName: 'r', PolicyName: 'own' }));
    await iam.send(new DeleteRoleCommand({ RoleName: 'r' }));
    await role('r', document, allow('s3:*'));

    const late = gateway.s3(session).send(new ListBucketsCommand({}));

    expect(await refusalOf(late)).toBe('InvalidToken');
  });

  it('chains for an hour at most', async () => {
    const keys = await user('alice');
    const first = await role('first', trust({ AWS: `arn:aws:iam::${account}:user/alice` }));
    const second = await role('second', trust({ AWS: first }), allow('s3:*'));
    const session = await assume(keys, first);

    const chained = await assume(session, second);
    await gateway.s3(chained).send(new ListBucketsCommand({}));

    expect(await refusalOf(assume(session, second, { DurationSeconds: 3_601 }))).toBe(
      'ValidationError',
    );
  });
});

describe('GetAccessKeyInfo', () => {
  it('names the account of a key', async () => {
    const keys = await user('alice');
    const info = (AccessKeyId: string): Promise<{ readonly Account?: string | undefined }> =>
      gateway.sts().send(new GetAccessKeyInfoCommand({ AccessKeyId }));

    expect((await info(keys.accessKeyId)).Account).toBe(account);
    expect((await info(ROOT.accessKeyId)).Account).toBe(account);
    expect(await refusalOf(info('AKIAUNKNOWN0000000'))).toBe('ValidationError');
    const asked = gateway
      .sts(keys)
      .send(new GetAccessKeyInfoCommand({ AccessKeyId: ROOT.accessKeyId }));
    expect(await refusalOf(asked)).toBe('AccessDenied');
  });
});
