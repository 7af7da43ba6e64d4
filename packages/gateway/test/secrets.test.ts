import {
  CreateAccessKeyCommand,
  CreateRoleCommand,
  CreateUserCommand,
  PutUserPolicyCommand,
} from '@aws-sdk/client-iam';
import { CreateBucketCommand, ListBucketsCommand } from '@aws-sdk/client-s3';
import { AssumeRoleCommand, GetCallerIdentityCommand } from '@aws-sdk/client-sts';

import { allow, ClusterGateway, refusalOf, ROOT, trust } from './support/cluster-gateway';

let gateway: ClusterGateway;

beforeEach(async () => {
  gateway = await ClusterGateway.start();
});

afterEach(() => gateway.close());

async function text(port: number, path: string, init?: RequestInit): Promise<string> {
  const answer = await fetch(`http://127.0.0.1:${port}${path}`, init);
  return `${JSON.stringify([...answer.headers])}${await answer.text()}`;
}

describe('secrets (table rows 18 and 41)', () => {
  it('are in no log, no metric, no answer and no error, whatever was asked', async () => {
    const iam = gateway.iam();
    const { Account } = await gateway.sts().send(new GetCallerIdentityCommand({}));
    await iam.send(new CreateUserCommand({ UserName: 'alice' }));
    const put = { UserName: 'alice', PolicyName: 'own', PolicyDocument: allow('s3:*') };
    await iam.send(new PutUserPolicyCommand(put));
    const { AccessKey } = await iam.send(new CreateAccessKeyCommand({ UserName: 'alice' }));
    const alice = {
      accessKeyId: AccessKey?.AccessKeyId ?? '',
      secretAccessKey: AccessKey?.SecretAccessKey ?? '',
    };
    const { Role } = await iam.send(
      new CreateRoleCommand({
        RoleName: 'r',
        AssumeRolePolicyDocument: trust({ AWS: `arn:aws:iam::${Account ?? ''}:user/alice` }),
      }),
    );
    const { Credentials } = await gateway
      .sts(alice)
      .send(new AssumeRoleCommand({ RoleArn: Role?.Arn, RoleSessionName: 'session' }));
    const tokenKeys = gateway.metadata.view.identities().list('token-key', '');
    const secrets = [
      ROOT.secretAccessKey,
      alice.secretAccessKey,
      Credentials?.SecretAccessKey ?? '',
      ...tokenKeys.map(({ secret }) => secret),
    ];
    expect(new Set(secrets).size).toBe(4);

    await gateway.s3(alice).send(new CreateBucketCommand({ Bucket: 'bucket' }));
    const wrong = { ...alice, accessKeyId: ROOT.accessKeyId };
    const refusals = [
      await refusalOf(gateway.s3(wrong).send(new ListBucketsCommand({}))),
      await refusalOf(gateway.sts(wrong).send(new GetCallerIdentityCommand({}))),
    ];
    let seen = refusals.join('\n');
    const { httpPort, adminPort } = gateway.service;
    for (const path of ['/', '/bucket', '/bucket/key', '/bucket?policy', '/?Action=ListUsers']) {
      seen += await text(httpPort, path);
    }
    const forms = [
      `Action=ListAccessKeys&Version=2010-05-08&UserName=alice`,
      `Action=GetAccountAuthorizationDetails&Version=2010-05-08`,
      `Action=GetCallerIdentity&Version=2011-06-15`,
      'Action=%zz',
    ];
    for (const body of forms) seen += await text(httpPort, '/', { method: 'POST', body });
    for (const path of ['/metrics', '/readyz', '/env', '/debug']) {
      seen += await text(adminPort, path);
    }
    seen += gateway.log.lines.join('\n');

    expect(refusals).toEqual(['SignatureDoesNotMatch', 'SignatureDoesNotMatch']);
    expect(seen).toContain('azimuth_s3_requests_total');
    for (const secret of secrets) expect(seen).not.toContain(secret);
    expect(seen).not.toContain(Credentials?.SessionToken);
  });

  it.each([
    ['minioadmin', 'minioadmin'],
    ['ROOTACCESSKEY0001', ''],
    ['ROOTACCESSKEY0001', 'minioadminminioadmin'],
    ['', 'a long enough secret'],
  ])('of %j and %j do not start a gateway (table row 40)', async (accessKey, secretKey) => {
    await expect(ClusterGateway.start({ accessKey, secretKey })).rejects.toThrow(
      'INVALID_ARGUMENT',
    );
  });
});
