import { generateKeyPairSync, sign } from 'node:crypto';

import {
  CreateOpenIDConnectProviderCommand,
  CreateRoleCommand,
  DeleteOpenIDConnectProviderCommand,
  GetOpenIDConnectProviderCommand,
  ListOpenIDConnectProvidersCommand,
  PutRolePolicyCommand,
} from '@aws-sdk/client-iam';
import { CreateBucketCommand, ListBucketsCommand } from '@aws-sdk/client-s3';
import { AssumeRoleWithWebIdentityCommand, GetCallerIdentityCommand } from '@aws-sdk/client-sts';
import type { AssumeRoleWithWebIdentityResponse } from '@aws-sdk/client-sts';

import { allow, ClusterGateway, refusalOf, trust } from '../support/cluster-gateway';

const ISSUER = 'https://idp.example.com/realm';
const HOST = 'idp.example.com/realm';
const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });

let gateway: ClusterGateway;
let account = '';
let roleArn = '';

beforeEach(async () => {
  const jwks = { keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'k' }] };
  gateway = await ClusterGateway.start({
    oidc: [{ issuer: ISSUER, clientIds: ['app', 'other-app'], jwks }],
  });
  account = (await gateway.sts().send(new GetCallerIdentityCommand({}))).Account ?? '';
  const Federated = `arn:aws:iam::${account}:oidc-provider/${HOST}`;
  const document = trust({ Federated }, 'sts:AssumeRoleWithWebIdentity', {
    Condition: { StringEquals: { [`${HOST}:sub`]: 'alice', [`${HOST}:aud`]: 'app' } },
  });
  const made = await gateway
    .iam()
    .send(new CreateRoleCommand({ RoleName: 'web', AssumeRolePolicyDocument: document }));
  roleArn = made.Role?.Arn ?? '';
  const PolicyDocument = allow('s3:ListAllMyBuckets');
  await gateway
    .iam()
    .send(new PutRolePolicyCommand({ RoleName: 'web', PolicyName: 'own', PolicyDocument }));
});

afterEach(() => gateway.close());

function token(claims: Readonly<Record<string, unknown>> = {}): string {
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const exp = Math.floor(Date.now() / 1000) + 600;
  const payload = { iss: ISSUER, sub: 'alice', aud: 'app', exp, ...claims };
  const text = `${part({ alg: 'RS256', kid: 'k' })}.${part(payload)}`;
  return `${text}.${sign('RSA-SHA256', Buffer.from(text), privateKey).toString('base64url')}`;
}

function assume(
  WebIdentityToken: string,
  RoleArn = roleArn,
): Promise<AssumeRoleWithWebIdentityResponse> {
  const call = new AssumeRoleWithWebIdentityCommand({
    RoleArn,
    RoleSessionName: 'session',
    WebIdentityToken,
  });
  return gateway.sts({ accessKeyId: '', secretAccessKey: '' }).send(call);
}

describe('AssumeRoleWithWebIdentity', () => {
  it('gives whom the provider vouches for the role that trusts it', async () => {
    const answer = await assume(token());
    const session = {
      accessKeyId: answer.Credentials?.AccessKeyId ?? '',
      secretAccessKey: answer.Credentials?.SecretAccessKey ?? '',
      sessionToken: answer.Credentials?.SessionToken ?? '',
    };

    await gateway.s3(session).send(new ListBucketsCommand({}));
    const identity = await gateway.sts(session).send(new GetCallerIdentityCommand({}));
    const write = gateway.s3(session).send(new CreateBucketCommand({ Bucket: 'bucket' }));

    expect(answer).toMatchObject({
      SubjectFromWebIdentityToken: 'alice',
      Audience: 'app',
      Provider: ISSUER,
    });
    expect(identity.Arn).toBe(`arn:aws:sts::${account}:assumed-role/web/session`);
    expect(await refusalOf(write)).toBe('AccessDenied');
  });

  it.each<[string, string, () => Promise<unknown>]>([
    ['another subject', 'AccessDenied', () => assume(token({ sub: 'bob' }))],
    [
      'another audience than the role asks for',
      'AccessDenied',
      () => assume(token({ aud: 'other-app' })),
    ],
    [
      'another issuer',
      'InvalidIdentityTokenException',
      () => assume(token({ iss: 'https://x.test' })),
    ],
    ['an expired token', 'ExpiredTokenException', () => assume(token({ exp: 1 }))],
    [
      'a changed token',
      'InvalidIdentityTokenException',
      () => assume(token().replace(/.{8}$/, 'AAAAAAAA')),
    ],
    ['an unknown role', 'AccessDenied', () => assume(token(), `${roleArn}x`)],
  ])('refuses %s as %s', async (_name, code, attempt) => {
    expect(await refusalOf(attempt())).toBe(code);
  });

  it('accepts only the audiences of the provider that the account has', async () => {
    const iam = gateway.iam();
    const { OpenIDConnectProviderArn } = await iam.send(
      new CreateOpenIDConnectProviderCommand({ Url: ISSUER, ClientIDList: ['somebody-else'] }),
    );
    const listed = await iam.send(new ListOpenIDConnectProvidersCommand({}));
    const found = await iam.send(new GetOpenIDConnectProviderCommand({ OpenIDConnectProviderArn }));
    const refused = await refusalOf(assume(token()));
    await iam.send(new DeleteOpenIDConnectProviderCommand({ OpenIDConnectProviderArn }));

    expect(listed.OpenIDConnectProviderList).toEqual([{ Arn: OpenIDConnectProviderArn }]);
    expect(found).toMatchObject({ Url: HOST, ClientIDList: ['somebody-else'] });
    expect(refused).toBe('InvalidIdentityTokenException');
    await assume(token());
  });

  it('is the only action that needs no signature', async () => {
    for (const action of ['AssumeRole', 'GetCallerIdentity', 'GetSessionToken']) {
      const answer = await fetch(gateway.url, {
        method: 'POST',
        body: `Action=${action}&Version=2011-06-15&RoleArn=${roleArn}&RoleSessionName=session`,
      });
      expect([action, answer.status]).toEqual([action, 403]);
    }
  });
});
