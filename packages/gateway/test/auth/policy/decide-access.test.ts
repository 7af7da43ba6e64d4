import fc from 'fast-check';

import type { AccessCase } from '../../../src/auth/policy/decide-access';
import { decideAccess } from '../../../src/auth/policy/decide-access';
import { evaluatePolicies, evaluatePolicy } from '../../../src/auth/policy/evaluate-policy';
import { parsePolicyDocument } from '../../../src/auth/policy/parse-policy';
import type { PolicyDocument } from '../../../src/auth/policy/policy-document';
import type { PrincipalNames } from '../../../src/auth/policy/policy-principal';
import { contextOf, identityPolicy, policyText } from './policy-fixture';

const ACCOUNT = '111122223333';
const ALICE = `arn:aws:iam::${ACCOUNT}:user/alice`;
const NAMES: PrincipalNames = {
  isRoot: false,
  accountId: ACCOUNT,
  canonicalId: 'a'.repeat(64),
  arns: [ALICE],
  provider: null,
};

const ACTIONS = ['s3:GetObject', 's3:PutObject', 's3:DeleteObject'];
const RESOURCES = ['arn:aws:s3:::bucket/a', 'arn:aws:s3:::bucket/b'];

interface Rule {
  readonly Effect: string;
}

const action = fc.constantFrom(...ACTIONS, 's3:Get*', 's3:*', '*');
const resource = fc.constantFrom(...RESOURCES, 'arn:aws:s3:::bucket/*', '*');
const condition = fc.constantFrom(
  {},
  { StringEquals: { 's3:prefix': 'a' } },
  { StringNotEquals: { 's3:prefix': 'a' } },
  { Null: { 's3:prefix': 'true' } },
);
const rule: fc.Arbitrary<Rule> = fc.record({
  Effect: fc.constantFrom('Allow', 'Allow', 'Deny'),
  Action: fc.array(action, { minLength: 1, maxLength: 2 }),
  Resource: fc.array(resource, { minLength: 1, maxLength: 2 }),
  Condition: condition,
});
const rules = fc.array(rule, { minLength: 1, maxLength: 4 });
const principal = fc.constantFrom(
  '*',
  { AWS: ALICE },
  { AWS: ACCOUNT },
  { AWS: `arn:aws:iam::${ACCOUNT}:user/bob` },
);
const resourceRules = fc.array(
  fc.tuple(rule, principal).map(([each, Principal]) => ({ ...each, Principal })),
  { minLength: 1, maxLength: 4 },
);
const question = fc
  .record({
    action: fc.constantFrom(...ACTIONS),
    resource: fc.constantFrom(...RESOURCES),
    prefix: fc.constantFrom(undefined, 'a', 'b'),
  })
  .map(({ prefix, ...asked }) => ({
    action: asked.action.toLowerCase(),
    resource: asked.resource,
    context: contextOf(prefix === undefined ? {} : { 's3:prefix': [prefix] }),
    names: NAMES,
  }));

function bucketPolicy(statements: readonly object[]): PolicyDocument {
  return parsePolicyDocument(policyText(...statements), 'resource');
}

const accessCase: fc.Arbitrary<AccessCase> = fc.record({
  question,
  identity: rules.map((each) => [identityPolicy(...each)]),
  boundary: fc.option(
    rules.map((each) => identityPolicy(...each)),
    { nil: null },
  ),
  session: fc.array(
    rules.map((each) => identityPolicy(...each)),
    { maxLength: 2 },
  ),
  bucketPolicy: fc.option(resourceRules.map(bucketPolicy), { nil: null }),
  isRestricted: fc.boolean(),
  isBucketOwner: fc.boolean(),
  isOwner: fc.boolean(),
  isBucketOwners: fc.boolean(),
  acl: fc.constantFrom('none', 'account', 'direct'),
  isOwnerGranted: fc.boolean(),
});

const RUNS = { numRuns: 500 };

function policiesOf(access: AccessCase): readonly PolicyDocument[] {
  return [
    ...(access.identity ?? []),
    ...(access.boundary === null ? [] : [access.boundary]),
    ...access.session,
    ...(access.bucketPolicy === null ? [] : [access.bucketPolicy]),
  ];
}

describe('P-1: the evaluator', () => {
  it('rows 25 and 26: a session has at most what its parent and its policy both allow', () => {
    fc.assert(
      fc.property(accessCase, rules, (parent, narrowing) => {
        const policy = identityPolicy(...narrowing);
        const child = { ...parent, session: [...parent.session, policy] };
        const isWithin = evaluatePolicy(policy, parent.question) === 'allow';
        expect(decideAccess(child)).toBe(decideAccess(parent) && isWithin);
      }),
      RUNS,
    );
  });

  it('row 25: a boundary never adds to what is allowed without it', () => {
    fc.assert(
      fc.property(accessCase, (access) => {
        const isAllowed = decideAccess({ ...access, boundary: null });
        if (decideAccess(access)) expect(isAllowed).toBe(true);
        const { boundary } = access;
        if (boundary !== null && isAllowed) {
          const within = evaluatePolicy(boundary, access.question) === 'allow';
          expect(decideAccess(access)).toBe(within);
        }
      }),
      RUNS,
    );
  });

  it('row 33, P-2: an explicit deny wins, wherever it stands', () => {
    fc.assert(
      fc.property(accessCase, (access) => {
        const isDenied = policiesOf(access).some(
          (policy) => evaluatePolicy(policy, access.question) === 'deny',
        );
        if (isDenied) expect(decideAccess(access)).toBe(false);
      }),
      RUNS,
    );
  });

  it('a deny of any statement cannot be outvoted by statements before or behind it', () => {
    const denial = { Effect: 'Deny', Action: '*', Resource: '*' };
    fc.assert(
      fc.property(rules, fc.nat(4), question, (statements, position, asked) => {
        const at = Math.min(position, statements.length);
        const mixed = [...statements.slice(0, at), denial, ...statements.slice(at)];
        expect(evaluatePolicy(identityPolicy(...mixed), asked)).toBe('deny');
      }),
      RUNS,
    );
  });

  it('the order of statements and of policies does not matter', () => {
    fc.assert(
      fc.property(resourceRules, rules, question, (statements, more, asked) => {
        const backwards = bucketPolicy([...statements].reverse());
        const forwards = bucketPolicy(statements);
        expect(evaluatePolicy(backwards, asked)).toBe(evaluatePolicy(forwards, asked));
        const pair = [forwards, identityPolicy(...more)];
        expect(evaluatePolicies([...pair].reverse(), asked)).toBe(evaluatePolicies(pair, asked));
      }),
      RUNS,
    );
  });

  it('without an allow anywhere nothing is allowed', () => {
    const silent = identityPolicy({ Effect: 'Allow', Action: 'iam:GetUser', Resource: '*' });
    fc.assert(
      fc.property(accessCase, (access) => {
        const unspoken = {
          ...access,
          identity: [silent],
          bucketPolicy: null,
          acl: 'none',
        } as const;
        expect(decideAccess(unspoken)).toBe(false);
      }),
      RUNS,
    );
  });
});

const ALLOW_ALL = identityPolicy({ Effect: 'Allow', Action: '*', Resource: '*' });
const NOTHING = identityPolicy({ Effect: 'Allow', Action: 'iam:GetUser', Resource: '*' });

function allowTo(Principal: unknown): PolicyDocument {
  return bucketPolicy([{ Effect: 'Allow', Principal, Action: 's3:*', Resource: '*' }]);
}

const PLAIN: AccessCase = {
  question: {
    action: 's3:getobject',
    resource: 'arn:aws:s3:::bucket/a',
    context: contextOf({}),
    names: NAMES,
  },
  identity: [NOTHING],
  boundary: null,
  session: [],
  bucketPolicy: null,
  isRestricted: false,
  isBucketOwner: true,
  isOwner: true,
  isBucketOwners: true,
  acl: 'none',
  isOwnerGranted: true,
};
const CROSS = { ...PLAIN, isBucketOwner: false, isOwner: false };
const ROOT_NAMES = { ...NAMES, isRoot: true, arns: [`arn:aws:iam::${ACCOUNT}:root`] };
const NOBODY = { isRoot: false, accountId: '', canonicalId: '', arns: [], provider: null };

function as(names: PrincipalNames, access: AccessCase): AccessCase {
  return { ...access, identity: null, question: { ...access.question, names } };
}

describe('P-1: accounts', () => {
  it.each<readonly [string, boolean, AccessCase]>([
    ['own account, own policy', true, { ...PLAIN, identity: [ALLOW_ALL] }],
    ['own account, nothing', false, PLAIN],
    [
      'own account, the bucket names the user',
      true,
      { ...PLAIN, bucketPolicy: allowTo({ AWS: ALICE }) },
    ],
    ['own account, the bucket names everybody', true, { ...PLAIN, bucketPolicy: allowTo('*') }],
    [
      'own account, the bucket names the account only',
      false,
      { ...PLAIN, bucketPolicy: allowTo({ AWS: ACCOUNT }) },
    ],
    ['other account, own policy', false, { ...CROSS, identity: [ALLOW_ALL] }],
    ['other account, the bucket alone', false, { ...CROSS, bucketPolicy: allowTo({ AWS: ALICE }) }],
    [
      'other account, everybody, but nothing of its own',
      false,
      { ...CROSS, bucketPolicy: allowTo('*') },
    ],
    [
      'other account, both',
      true,
      { ...CROSS, identity: [ALLOW_ALL], bucketPolicy: allowTo({ AWS: ALICE }) },
    ],
    [
      'other account, account and own policy',
      true,
      { ...CROSS, identity: [ALLOW_ALL], bucketPolicy: allowTo({ AWS: ACCOUNT }) },
    ],
    [
      'other account, ACL and own policy',
      true,
      { ...CROSS, identity: [ALLOW_ALL], acl: 'account' },
    ],
    ['other account, ACL alone', false, { ...CROSS, acl: 'account' }],
    ['root of the other account, ACL', true, as(ROOT_NAMES, { ...CROSS, acl: 'account' })],
    ['root of the other account, nothing', false, as(ROOT_NAMES, CROSS)],
    ['own root', true, as(ROOT_NAMES, PLAIN)],
    ['own root without a grant', false, as(ROOT_NAMES, { ...PLAIN, isOwnerGranted: false })],
    [
      'own root, session that allows nothing',
      false,
      as(ROOT_NAMES, { ...PLAIN, session: [NOTHING] }),
    ],
    ['nobody, nothing', false, as(NOBODY, CROSS)],
    [
      'nobody, the bucket names everybody',
      true,
      as(NOBODY, { ...CROSS, bucketPolicy: allowTo('*') }),
    ],
    ['nobody, ACL', true, as(NOBODY, { ...CROSS, acl: 'direct' })],
    [
      'nobody, the object is not the bucket owner’s to give',
      false,
      as(NOBODY, { ...CROSS, isBucketOwners: false, bucketPolicy: allowTo('*') }),
    ],
    [
      'RestrictPublicBuckets, nobody',
      false,
      as(NOBODY, { ...CROSS, isRestricted: true, bucketPolicy: allowTo('*') }),
    ],
    [
      'RestrictPublicBuckets, own account',
      true,
      { ...PLAIN, isRestricted: true, bucketPolicy: allowTo('*') },
    ],
  ])('%s: %s', (_name, expected, access) => {
    expect(decideAccess(access)).toBe(expected);
  });

  it('P-4: the root of the owner can always mend the policy, nobody else, nothing else', () => {
    const denial = bucketPolicy([{ Effect: 'Deny', Principal: '*', Action: '*', Resource: '*' }]);
    const asked = (action: string, names: PrincipalNames, isBucketOwner = true): boolean =>
      decideAccess({
        ...PLAIN,
        isBucketOwner,
        isOwner: isBucketOwner,
        bucketPolicy: denial,
        identity: [ALLOW_ALL],
        question: { ...PLAIN.question, action, names },
      });
    for (const action of ['s3:getbucketpolicy', 's3:putbucketpolicy', 's3:deletebucketpolicy']) {
      expect(asked(action, ROOT_NAMES)).toBe(true);
      expect(asked(action, NAMES)).toBe(false);
      expect(asked(action, ROOT_NAMES, false)).toBe(false);
    }
    expect(asked('s3:getobject', ROOT_NAMES)).toBe(false);
  });

  it('an Allow whose NotResource cannot be resolved allows nothing; a Deny denies', () => {
    const verdictOf = (Effect: string): string =>
      evaluatePolicy(
        identityPolicy({ Effect, Action: '*', NotResource: 'arn:aws:s3:::bucket/${aws:username}' }),
        PLAIN.question,
      );
    expect([verdictOf('Allow'), verdictOf('Deny')]).toEqual(['none', 'deny']);
  });

  it('NotPrincipal of an account exempts its root, not its users', () => {
    const policy = bucketPolicy([
      { Effect: 'Deny', NotPrincipal: { AWS: [ALICE, ACCOUNT] }, Action: '*', Resource: '*' },
    ]);
    const bob = { ...NAMES, arns: [`arn:aws:iam::${ACCOUNT}:user/bob`] };
    const verdict = (names: PrincipalNames): string =>
      evaluatePolicy(policy, { ...PLAIN.question, names });
    expect([verdict(NAMES), verdict(ROOT_NAMES), verdict(bob)]).toEqual(['none', 'none', 'deny']);
  });
});
