import { parsePolicyDocument } from '../../../src/auth/policy/parse-policy';
import { isPublicPolicy } from '../../../src/auth/policy/public-policy';
import { policyText } from './policy-fixture';

const ALLOW = { Effect: 'Allow', Action: 's3:GetObject', Resource: 'arn:aws:s3:::bucket/*' };
const ALICE = { AWS: 'arn:aws:iam::111122223333:user/alice' };

function isPublic(...statements: readonly object[]): boolean {
  const text = policyText(...statements.map((each) => ({ ...ALLOW, Principal: '*', ...each })));
  return isPublicPolicy(parsePolicyDocument(text, 'resource'));
}

describe('P-6: whether a policy is public', () => {
  it.each<readonly [string, boolean, Readonly<Record<string, unknown>>]>([
    ['everybody', true, {}],
    ['everybody as AWS', true, { Principal: { AWS: '*' } }],
    ['everybody among others', true, { Principal: { AWS: ['111122223333', '*'] } }],
    ['a user', false, { Principal: ALICE }],
    ['an account', false, { Principal: { AWS: '111122223333' } }],
    ['a service', false, { Principal: { Service: 'logging.s3.amazonaws.com' } }],
    ['everybody but a user', true, { Principal: undefined, NotPrincipal: ALICE }],
    ['a denial', false, { Effect: 'Deny' }],
  ])('%s: %s', (_name, expected, change) => {
    expect(isPublic(change)).toBe(expected);
  });

  it.each<readonly [boolean, Readonly<Record<string, Readonly<Record<string, unknown>>>>]>([
    [false, { IpAddress: { 'aws:SourceIp': '203.0.113.0/24' } }],
    [false, { IpAddress: { 'aws:SourceIp': ['203.0.113.0/24', '2001:db8::/32'] } }],
    [false, { IpAddress: { 'aws:SourceIp': '12.0.0.0/8' } }],
    [true, { IpAddress: { 'aws:SourceIp': '12.0.0.0/7' } }],
    [true, { IpAddress: { 'aws:SourceIp': '2001:db8::/31' } }],
    [true, { IpAddress: { 'aws:SourceIp': ['203.0.113.0/24', '0.0.0.0/0'] } }],
    [false, { IpAddress: { 'aws:SourceIp': '10.0.0.0/32' } }],
    [false, { IpAddress: { 'aws:SourceIp': '192.168.0.0/16' } }],
    [true, { NotIpAddress: { 'aws:SourceIp': '203.0.113.0/24' } }],
    [true, { IpAddressIfExists: { 'aws:SourceIp': '203.0.113.0/24' } }],
    [false, { StringEquals: { 'aws:SourceVpc': 'vpc-91237329' } }],
    [true, { StringLike: { 'aws:SourceVpc': 'vpc-*' } }],
    [true, { StringEquals: { 'aws:SourceVpc': '${aws:username}' } }],
    [false, { StringLike: { 'aws:userid': 'AIDAEXAMPLE' } }],
    [true, { StringLike: { 'aws:userid': 'AROAEXAMPLE:*' } }],
    [false, { StringEquals: { 'aws:SourceAccount': '111122223333' } }],
    [true, { StringNotEquals: { 'aws:SourceAccount': '111122223333' } }],
    [true, { 'ForAllValues:StringEquals': { 'aws:SourceAccount': '111122223333' } }],
    [true, { StringEqualsIfExists: { 'aws:SourceAccount': '111122223333' } }],
    [false, { ArnLike: { 'aws:SourceArn': 'arn:aws:sqs:us-east-1:111122223333:*' } }],
    [true, { ArnLike: { 'aws:SourceArn': 'arn:aws:sqs:*:*:queue' } }],
    [false, { StringEquals: { 'aws:PrincipalOrgID': 'o-1' } }],
    [true, { StringEquals: { 'aws:Referer': 'http://example.com' } }],
    [true, { Bool: { 'aws:SecureTransport': 'true' } }],
    [true, { Null: { 'aws:SourceVpc': 'false' } }],
    [
      false,
      {
        StringLike: { 's3:prefix': '*' },
        StringEquals: { 'aws:SourceVpce': 'vpce-1', 'aws:Referer': 'x' },
      },
    ],
  ])('%s under %j', (expected, condition) => {
    expect(isPublic({ Condition: condition })).toBe(expected);
  });

  it('one public statement makes the whole policy public', () => {
    expect(isPublic({ Principal: ALICE }, { Principal: ALICE })).toBe(false);
    expect(isPublic({ Principal: ALICE }, {})).toBe(true);
  });
});
