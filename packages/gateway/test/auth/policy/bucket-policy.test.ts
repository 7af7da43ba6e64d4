import { parseBucketPolicy } from '../../../src/auth/policy/bucket-policy';
import { parsePolicyDocument } from '../../../src/auth/policy/parse-policy';
import type { PolicyKind } from '../../../src/auth/policy/policy-document';
import { S3Error } from '../../../src/s3/s3-error';

const ALICE = 'arn:aws:iam::111122223333:user/alice';
const STATEMENT = {
  Effect: 'Allow',
  Principal: { AWS: ALICE },
  Action: 's3:GetObject',
  Resource: 'arn:aws:s3:::bucket/*',
};

function parse(document: unknown): unknown {
  const text = typeof document === 'string' ? document : JSON.stringify(document);
  try {
    return parseBucketPolicy(
      text,
      'bucket',
      (principal) => principal.kind !== 'arn' || principal.arn === ALICE,
    );
  } catch (error) {
    if (!(error instanceof S3Error)) throw error;
    return `${error.code}: ${error.message}`;
  }
}

function withStatement(change: Readonly<Record<string, unknown>>): unknown {
  return parse({ Version: '2012-10-17', Statement: { ...STATEMENT, ...change } });
}

describe('P-4: the policy of a bucket', () => {
  it.each<readonly [string, Readonly<Record<string, unknown>>]>([
    ['one statement', {}],
    ['lists', { Action: ['s3:GetObject', 's3:PutObject'], Resource: ['arn:aws:s3:::bucket/*'] }],
    [
      'wildcards',
      { Action: 's3:Get*', Resource: ['arn:aws:s3:::bucket', 'arn:aws:s3:::bucket/*'] },
    ],
    ['every action', { Action: '*', Resource: 'arn:aws:s3:::bucket/*' }],
    ['every action of every service', { Action: '*:*', Resource: 'arn:aws:s3:::bucket/*' }],
    ['actions in any case', { Action: 's3:getobject' }],
    ['everybody', { Principal: '*' }],
    ['everybody as a principal', { Principal: { AWS: '*' } }],
    ['an account', { Principal: { AWS: ['111122223333', 'arn:aws:iam::111122223333:root'] } }],
    ['a canonical user', { Principal: { CanonicalUser: 'a'.repeat(64) } }],
    ['a service', { Principal: { Service: 'logging.s3.amazonaws.com' } }],
    ['NotPrincipal', { Effect: 'Deny', Principal: undefined, NotPrincipal: { AWS: ALICE } }],
    ['NotAction', { Action: undefined, NotAction: 's3:DeleteObject' }],
    ['NotResource', { Resource: undefined, NotResource: 'arn:aws:s3:::bucket/secret' }],
    ['a prefix of keys', { Resource: 'arn:aws:s3:::bucket/home/${aws:username}/*' }],
    ['a bucket pattern that matches', { Resource: 'arn:aws:s3:::*' }],
    ['a condition on a tag', { Condition: { StringEquals: { 's3:ExistingObjectTag/a': 'b' } } }],
    ['a condition of AWS', { Condition: { Bool: { 'aws:SecureTransport': false } } }],
  ])('takes %s', (_name, change) => {
    expect(withStatement(change)).toMatchObject({ kind: 'resource' });
  });

  it.each<readonly [string, string, Readonly<Record<string, unknown>>]>([
    ['another bucket', 'Policy has invalid resource', { Resource: 'arn:aws:s3:::other/*' }],
    ['a longer bucket', 'Policy has invalid resource', { Resource: 'arn:aws:s3:::bucket2/*' }],
    ['no ARN', 'Policy has invalid resource', { Resource: 'bucket/*' }],
    [
      'a resource of another service',
      'Policy has invalid resource',
      { Resource: 'arn:aws:sqs:::q' },
    ],
    ['no resource', 'Missing required field Resource', { Resource: undefined }],
    ['an empty list of resources', 'Policy has invalid resource', { Resource: [] }],
    ['a number as a resource', 'Policy has invalid resource', { Resource: 1 }],
    ['an unknown action', 'Policy has invalid action', { Action: 's3:GetEverything' }],
    ['an action of another service', 'Policy has invalid action', { Action: 'sqs:SendMessage' }],
    ['an action without service', 'Policy has invalid action', { Action: 'GetObject' }],
    ['no action', 'Missing required field Action', { Action: undefined }],
    [
      'an action of buckets for objects',
      'Action does not apply to any resource(s) in statement',
      { Action: 's3:ListBucket' },
    ],
    [
      'an action of objects for the bucket',
      'Action does not apply to any resource(s) in statement',
      { Resource: 'arn:aws:s3:::bucket' },
    ],
    ['no principal', 'Missing required field Principal', { Principal: undefined }],
    ['an empty principal', 'Invalid principal in policy', { Principal: {} }],
    [
      'a principal that is not there',
      'Invalid principal in policy',
      {
        Principal: { AWS: 'arn:aws:iam::111122223333:user/nobody' },
      },
    ],
    [
      'a wildcard in a principal',
      'Invalid principal in policy',
      {
        Principal: { AWS: 'arn:aws:iam::111122223333:user/*' },
      },
    ],
    ['a principal without kind', 'Invalid principal in policy', { Principal: ALICE }],
    ['a principal of an unknown kind', 'Invalid principal in policy', { Principal: { GCP: 'x' } }],
    ['a short account', 'Invalid principal in policy', { Principal: { AWS: '1111' } }],
    ['no effect', 'Missing required field Effect', { Effect: undefined }],
    ['another effect', 'Invalid effect: Permit', { Effect: 'Permit' }],
    ['effects in lower case', 'Invalid effect: allow', { Effect: 'allow' }],
    ['an unknown field', 'Unknown field Actions', { Actions: 's3:GetObject' }],
    [
      'Action and NotAction',
      'A statement cannot have both Action and NotAction',
      {
        NotAction: 's3:PutObject',
      },
    ],
    [
      'an unknown condition key',
      'Policy has an invalid condition key',
      {
        Condition: { StringEquals: { 's3:Weather': 'fine' } },
      },
    ],
    [
      'an unknown operator',
      'Invalid Condition type : Same',
      {
        Condition: { Same: { 's3:prefix': 'a' } },
      },
    ],
  ])('refuses %s', (_name, message, change) => {
    expect(withStatement(change)).toBe(`MalformedPolicy: ${message}`);
  });

  it.each<readonly [string, unknown]>([
    ["Policies must be valid JSON and the first byte must be '{'", ''],
    ["Policies must be valid JSON and the first byte must be '{'", '[]'],
    ['This policy contains invalid Json', '{'],
    ['This policy contains invalid Json', '{"Statement":[],"Statement":[]}'],
    ['Missing required field Statement', { Version: '2012-10-17' }],
    ['Could not parse the policy: Statement is empty!', { Statement: [] }],
    ['The policy must contain a valid version string', { Version: '2026', Statement: STATEMENT }],
    ['Unknown field statement', { statement: STATEMENT }],
    [
      'Statement IDs (SID) in a single policy must be unique.',
      {
        Statement: [
          { ...STATEMENT, Sid: 'a' },
          { ...STATEMENT, Sid: 'a' },
        ],
      },
    ],
    [
      'Policy exceeds the maximum allowed document size.',
      { Id: 'x'.repeat(20 * 1024), Statement: STATEMENT },
    ],
  ])('says %j', (message, document) => {
    expect(parse(document)).toBe(`MalformedPolicy: ${message}`);
  });

  it('refuses a condition given twice, of which JSON keeps one', () => {
    const once = JSON.stringify({ Statement: STATEMENT });
    const twice = once.replace(
      '"Action"',
      '"Condition":{"Bool":{"aws:SecureTransport":"true"}},"Condition":{},"Action"',
    );
    expect(parse(twice)).toBe('MalformedPolicy: This policy contains invalid Json');
  });
});

describe('policies of other kinds', () => {
  it.each<readonly [PolicyKind, Readonly<Record<string, unknown>>, string | null]>([
    ['identity', { Principal: undefined }, null],
    ['identity', { Principal: undefined, Action: 'iam:CreateUser', Resource: '*' }, null],
    ['identity', {}, 'Policy document should not specify a principal.'],
    ['trust', { Action: 'sts:AssumeRole', Resource: undefined }, null],
    ['trust', { Action: 'sts:AssumeRole' }, 'Has prohibited field Resource'],
    ['trust', { Resource: undefined, Principal: undefined }, 'Missing required field Principal'],
  ])('%s %j: %s', (kind, change, message) => {
    const text = JSON.stringify({ Statement: { ...STATEMENT, ...change } });
    const attempt = (): unknown => parsePolicyDocument(text, kind);
    if (message === null) expect(attempt()).toMatchObject({ kind });
    else expect(attempt).toThrow(message);
  });
});
