import type { RequestAccess } from '../../src/auth/authorize';
import type { Principal } from '../../src/auth/principal';
import type { Call, Reply } from './harness';
import { BUCKET, documentOf, Harness, OWNER, STRANGER, text } from './harness';

interface Statement {
  readonly Effect: string;
  readonly Principal?: unknown;
  readonly Action: unknown;
  readonly Resource: unknown;
  readonly Condition?: unknown;
}

const ALLOW: Statement = {
  Effect: 'Allow',
  Principal: { AWS: `arn:aws:iam::${OWNER.accountId}:root` },
  Action: 's3:GetObject',
  Resource: `arn:aws:s3:::${BUCKET}/*`,
};
const PUBLIC: Statement = { ...ALLOW, Principal: '*' };

function policy(...statements: readonly Statement[]): string {
  return JSON.stringify({ Version: '2012-10-17', Statement: statements });
}

async function made(): Promise<Harness> {
  const harness = await Harness.create();
  await harness.bucket();
  return harness;
}

function put(harness: Harness, body: string, call: Call = {}): Promise<Reply> {
  return harness.send('PutBucketPolicy', { body, ...call });
}

async function block(harness: Harness, isBlocked: boolean): Promise<void> {
  const { name, bucketId } = (await harness.metadata.view.bucket(BUCKET))!;
  await harness.metadata.root('SetBucketConfiguration', {
    name,
    bucketId,
    configuration: 'public-access-block',
    document: JSON.stringify({
      blockPublicAcls: false,
      ignorePublicAcls: false,
      blockPublicPolicy: isBlocked,
      restrictPublicBuckets: false,
    }),
  });
}

describe('a bucket policy', () => {
  it('P-4: is returned as it was put, byte for byte, and deleted', async () => {
    const harness = await made();
    expect(await harness.send('GetBucketPolicy')).toMatchObject({
      status: 404,
      code: 'NoSuchBucketPolicy',
    });
    const body = `\n{"Statement" :[ ${JSON.stringify(ALLOW)} ],\t"Id":"é\\u00e9"}\n`;
    expect(await put(harness, body.trim())).toMatchObject({ status: 204 });
    expect((await harness.send('GetBucketPolicy')).bytes.toString()).toBe(body.trim());
    for (let time = 0; time < 2; time += 1) {
      expect(await harness.send('DeleteBucketPolicy')).toMatchObject({ status: 204 });
    }
    expect(await harness.send('GetBucketPolicy')).toMatchObject({ code: 'NoSuchBucketPolicy' });
  });

  it.each([
    ['not JSON', 'x'],
    ['another bucket', policy({ ...ALLOW, Resource: 'arn:aws:s3:::other/*' })],
    ['an unknown action', policy({ ...ALLOW, Action: 's3:Everything' })],
    ['no principal', policy({ Effect: 'Allow', Action: 's3:GetObject', Resource: 'x' })],
    ['an unknown account', policy({ ...ALLOW, Principal: { AWS: '999999999999' } })],
    [
      'an unknown user',
      policy({ ...ALLOW, Principal: { AWS: `arn:aws:iam::${OWNER.accountId}:user/nobody` } }),
    ],
    ['an unknown canonical user', policy({ ...ALLOW, Principal: { CanonicalUser: '9' } })],
    ['bytes that are no UTF-8', Buffer.from([0x7b, 0xff, 0x7d])],
    ['more than 20 KB', policy(...Array.from({ length: 200 }, () => ALLOW))],
  ])('P-4: with %s is malformed', async (_name, body) => {
    const harness = await made();
    const reply = await harness.send('PutBucketPolicy', { body });
    expect(reply).toMatchObject({ status: 400, code: 'MalformedPolicy' });
    expect(reply.message).not.toBe('');
  });

  it('P-4: may name a user that is there', async () => {
    const harness = await made();
    const { accountId } = OWNER;
    await harness.metadata.root('CommitIdentities', {
      expectedRevision: 0,
      changes: [
        {
          kind: 'user',
          name: `${accountId}/alice`,
          record: {
            accountId,
            userName: 'Alice',
            userId: 'AIDAALICE',
            path: '/',
            createdMs: 0,
            isDeclared: false,
            inlinePolicies: {},
            attachedPolicyArns: [],
            groups: [],
            permissionsBoundaryArn: null,
            tags: {},
          },
        },
      ],
    });
    const arn = `arn:aws:iam::${accountId}:user/Alice`;
    expect(await put(harness, policy({ ...ALLOW, Principal: { AWS: arn } }))).toMatchObject({
      status: 204,
    });
  });

  it("is for identities of the owner's account alone, whoever else is allowed", async () => {
    const harness = await made();
    for (const name of ['GetBucketPolicy', 'PutBucketPolicy', 'DeleteBucketPolicy']) {
      const call = { principal: STRANGER, body: policy(ALLOW) };
      expect(await harness.send(name, call)).toMatchObject({
        status: 405,
        code: 'MethodNotAllowed',
      });
    }
  });

  it('P-5, P-6: a public one is refused where those are blocked', async () => {
    const harness = await made();
    await block(harness, true);
    expect(await put(harness, policy(PUBLIC))).toMatchObject({
      status: 403,
      code: 'AccessDenied',
    });
    expect(await put(harness, policy(ALLOW))).toMatchObject({ status: 204 });
    await block(harness, false);
    expect(await put(harness, policy(ALLOW, PUBLIC))).toMatchObject({ status: 204 });
  });

  it('P-6: GetBucketPolicyStatus says whether it is public', async () => {
    const harness = await made();
    await block(harness, false);
    expect(await harness.send('GetBucketPolicyStatus')).toMatchObject({
      status: 404,
      code: 'NoSuchBucketPolicy',
    });
    const condition = { IpAddress: { 'aws:SourceIp': '192.0.2.0/24' } };
    for (const [statement, isPublic] of [
      [ALLOW, 'false'],
      [PUBLIC, 'true'],
      [{ ...PUBLIC, Condition: condition }, 'false'],
    ] as const) {
      expect(await put(harness, policy(statement))).toMatchObject({ status: 204 });
      const status = documentOf(await harness.send('GetBucketPolicyStatus'));
      expect(text(status, 'IsPublic')).toBe(isPublic);
    }
  });

  it('P-4: who would lock themselves out must confirm; the root cannot', async () => {
    const harness = await made();
    const user: Principal = { ...OWNER, kind: 'user', userName: 'alice' };
    const asked: (string | undefined)[] = [];
    const access: RequestAccess = {
      require: () => Promise.resolve(),
      isAllowed(action, target) {
        asked.push(action, target.bucket?.configurations['policy']);
        return Promise.resolve(false);
      },
    };
    const body = policy({ ...ALLOW, Effect: 'Deny', Action: 's3:*' });
    const refused = await put(harness, body, { principal: user, access });
    expect(refused).toMatchObject({ status: 400, code: 'InvalidRequest' });
    expect(asked).toEqual(['s3:PutBucketPolicy', JSON.stringify(body)]);
    expect(await harness.send('GetBucketPolicy')).toMatchObject({ code: 'NoSuchBucketPolicy' });

    const headers = { 'x-amz-confirm-remove-self-bucket-access': 'true' };
    expect(await put(harness, body, { principal: user, access, headers })).toMatchObject({
      status: 204,
    });
    expect(await put(harness, body, { access })).toMatchObject({ status: 204 });
  });
});
