import type { VersionHead } from '@azimuth/proto';

import type { AccessRequest } from '../../../src/auth/authorize';
import type { ConditionSources } from '../../../src/auth/policy/condition-keys';
import { conditionContext } from '../../../src/auth/policy/condition-keys';
import { ANONYMOUS, rootOfAccount } from '../../../src/auth/principal';
import type { Principal } from '../../../src/auth/principal';

const NOW_MS = Date.UTC(2026, 0, 2, 3, 4, 5);
const ROOT = rootOfAccount({
  accountId: '111122223333',
  canonicalId: '1'.repeat(64),
  displayName: 'one',
});
const USER: Principal = {
  ...ROOT,
  kind: 'user',
  arn: 'arn:aws:iam::111122223333:user/alice',
  userId: 'AIDAALICE',
  userName: 'alice',
};
const SESSION: Principal = {
  ...ROOT,
  kind: 'assumed-role',
  arn: 'arn:aws:sts::111122223333:assumed-role/reader/s',
  userId: 'AROAREADER:s',
  roleName: 'reader',
  session: {
    issuedMs: NOW_MS - 60_000,
    expiresMs: NOW_MS + 60_000,
    policies: [],
    claims: {
      'issuer.example.com:sub': 'subject',
      'aws:username': 'root',
      's3:prefix': 'anything',
      'aws:PrincipalTag/team': 'admins',
    },
  },
};

interface Change {
  readonly principal?: Principal;
  readonly action?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, string>>;
  readonly facts?: Partial<AccessRequest['facts']>;
  readonly conditions?: NonNullable<AccessRequest['conditions']>;
  readonly versionId?: string;
  readonly sources?: Partial<ConditionSources>;
}

function valueOf(key: string, change: Change = {}): readonly string[] | undefined {
  const { principal = USER, action = 's3:GetObject', headers = {}, query = {} } = change;
  const request: AccessRequest = {
    principal,
    action,
    target: {
      bucket: null,
      bucketName: 'bucket',
      key: 'key',
      versionId: change.versionId ?? null,
    },
    facts: {
      sourceIp: '::ffff:203.0.113.9',
      isSecure: true,
      tlsVersion: '1.3',
      nowMs: NOW_MS,
      headers: new Map(Object.entries(headers)),
      query: new Map(Object.entries(query)),
      signature: {
        version: 'AWS4-HMAC-SHA256',
        type: 'REST-HEADER',
        ageMs: 1500,
        contentSha256: 'UNSIGNED-PAYLOAD',
      },
      ...change.facts,
    },
    ...(change.conditions === undefined ? {} : { conditions: change.conditions }),
  };
  return conditionContext({
    request,
    roleArn: null,
    region: 'eu-test-1',
    resourceAccountId: '444455556666',
    object: null,
    ...change.sources,
  })(key.toLowerCase());
}

describe('condition keys', () => {
  const VALUES: readonly (readonly [string, string, Change?])[] = [
    ['aws:SourceIp', '203.0.113.9'],
    ['aws:SecureTransport', 'true'],
    ['aws:SecureTransport', 'false', { facts: { isSecure: false } }],
    ['aws:CurrentTime', '2026-01-02T03:04:05.000Z'],
    ['aws:EpochTime', '1767323045'],
    ['aws:UserAgent', 'agent', { headers: { 'user-agent': 'agent' } }],
    ['aws:Referer', 'here', { headers: { referer: 'here' } }],
    ['aws:PrincipalArn', 'arn:aws:iam::111122223333:user/alice'],
    ['aws:PrincipalAccount', '111122223333'],
    ['aws:PrincipalType', 'User'],
    ['aws:PrincipalType', 'Account', { principal: ROOT }],
    ['aws:PrincipalType', 'AssumedRole', { principal: SESSION }],
    ['aws:PrincipalType', 'Anonymous', { principal: ANONYMOUS }],
    ['aws:username', 'alice'],
    ['aws:userid', 'AIDAALICE'],
    ['aws:userid', 'AROAREADER:s', { principal: SESSION }],
    ['aws:userid', 'anonymous', { principal: ANONYMOUS }],
    ['aws:TokenIssueTime', '2026-01-02T03:03:05.000Z', { principal: SESSION }],
    ['aws:MultiFactorAuthPresent', 'false', { principal: SESSION }],
    ['aws:RequestedRegion', 'eu-test-1'],
    ['aws:ViaAWSService', 'false'],
    ['aws:ResourceAccount', '444455556666'],
    ['s3:ResourceAccount', '444455556666'],
    ['s3:TlsVersion', '1.3'],
    ['s3:authType', 'REST-HEADER'],
    ['s3:signatureversion', 'AWS4-HMAC-SHA256'],
    ['s3:signatureAge', '1500'],
    ['s3:x-amz-content-sha256', 'UNSIGNED-PAYLOAD'],
    ['s3:VersionId', 'v', { versionId: 'v' }],
    ['s3:x-amz-acl', 'private', { headers: { 'x-amz-acl': 'private' } }],
    ['s3:x-amz-grant-read', 'id=1', { headers: { 'x-amz-grant-read': 'id=1' } }],
    ['s3:x-amz-storage-class', 'X', { headers: { 'x-amz-storage-class': 'X' } }],
    ['s3:if-match', '"e"', { headers: { 'if-match': '"e"' } }],
    ['s3:prefix', '', { action: 's3:ListBucket' }],
    ['s3:prefix', 'a/', { action: 's3:ListBucketVersions', query: { prefix: 'a/' } }],
    ['s3:delimiter', '/', { action: 's3:ListBucket', query: { delimiter: '/' } }],
    ['s3:max-keys', '5', { action: 's3:ListBucket', query: { 'max-keys': '5' } }],
    [
      's3:LocationConstraint',
      'eu-test-1',
      { action: 's3:CreateBucket', headers: { 'content-length': '9' } },
    ],
    [
      's3:object-lock-remaining-retention-days',
      '10',
      { headers: { 'x-amz-object-lock-retain-until-date': '2026-01-12T03:04:05Z' } },
    ],
    ['issuer.example.com:sub', 'subject', { principal: SESSION }],
    // What the operation knows stands above what the headers say.
    [
      's3:x-amz-acl',
      'private',
      {
        headers: { 'x-amz-acl': 'public-read' },
        conditions: { 's3:x-amz-acl': ['private'] },
      },
    ],
    ['s3:RequestObjectTag/Team', 'a', { conditions: { 's3:RequestObjectTag/Team': ['a'] } }],
  ];
  it.each(VALUES.map(([key, expected, change = {}]) => [key, expected, change] as const))(
    '%s is %j with %j',
    (key, expected, change) => {
      expect(valueOf(key, change)).toEqual([expected]);
    },
  );

  const ABSENT: readonly (readonly [string, Change?])[] = [
    ['aws:username', { principal: ROOT }],
    // Row 31, and the same of identity providers: nobody else names the keys of AWS and S3.
    ['aws:username', { principal: SESSION }],
    ['aws:PrincipalTag/team', { principal: SESSION }],
    ['s3:prefix', { principal: SESSION }],
    ['aws:username', { principal: ANONYMOUS, headers: { 'aws:username': 'a', username: 'a' } }],
    ['aws:PrincipalArn', { principal: ANONYMOUS }],
    ['aws:PrincipalAccount', { principal: ANONYMOUS }],
    ['aws:TokenIssueTime'],
    ['aws:MultiFactorAuthPresent'],
    ['aws:MultiFactorAuthAge', { principal: SESSION }],
    ['aws:SourceIp', { facts: { sourceIp: '' } }],
    ['s3:signatureversion', { facts: { signature: null } }],
    ['s3:x-amz-content-sha256', { facts: { signature: null } }],
    ['s3:delimiter', { action: 's3:ListBucket' }],
    ['s3:prefix', { query: { prefix: 'a' } }],
    ['s3:LocationConstraint', { action: 's3:CreateBucket' }],
    ['s3:VersionId'],
    ['s3:RequestObjectTag/team', { headers: { 'x-amz-tagging': 'team=a' } }],
    ['s3:ExistingObjectTag/team'],
    ['x-amz-acl', { headers: { 'x-amz-acl': 'private' } }],
    ['constructor'],
  ];
  it.each(ABSENT.map(([key, change = {}]) => [key, change] as const))(
    '%s is not there with %j',
    (key, change) => {
      expect(valueOf(key, change)).toBeUndefined();
    },
  );

  it('s3:ExistingObjectTag has every tag that is called so in any case', () => {
    const object = { tags: { Team: 'a', team: 'b', other: 'c' } } as unknown as VersionHead;
    expect(valueOf('s3:ExistingObjectTag/team', { sources: { object } })).toEqual(['a', 'b']);
  });

  it('aws:PrincipalArn of a session is its role', () => {
    const roleArn = 'arn:aws:iam::111122223333:role/reader';
    const change = { principal: SESSION, sources: { roleArn } };
    expect(valueOf('aws:PrincipalArn', change)).toEqual([roleArn]);
  });
});
