import { namesOf } from '../../../src/auth/policy/policy-principal';
import type { PrincipalNames } from '../../../src/auth/policy/policy-principal';
import { evaluateTrustPolicy, webIdentityNames } from '../../../src/auth/policy/trust-policy';
import { ANONYMOUS, rootOfAccount } from '../../../src/auth/principal';
import { contextOf, policyText } from './policy-fixture';

const ACCOUNT = '111122223333';
const ALICE = `arn:aws:iam::${ACCOUNT}:user/alice`;
const ROLE = `arn:aws:iam::${ACCOUNT}:role/first`;
const PROVIDER = `arn:aws:iam::${ACCOUNT}:oidc-provider/issuer.example.com`;
const ROOT = rootOfAccount({
  accountId: ACCOUNT,
  canonicalId: '1'.repeat(64),
  displayName: 'one',
});
const USER = namesOf({ ...ROOT, kind: 'user', arn: ALICE }, null);
const SESSION = namesOf(
  { ...ROOT, kind: 'assumed-role', arn: `arn:aws:sts::${ACCOUNT}:assumed-role/first/s` },
  ROLE,
);
const WEB = webIdentityNames(PROVIDER);

function verdict(
  names: PrincipalNames,
  Principal: unknown,
  more: Readonly<Record<string, unknown>> = {},
  action = 'sts:AssumeRole',
): string {
  const statement = { Effect: 'Allow', Principal, Action: action, ...more };
  return evaluateTrustPolicy(policyText(statement), {
    action,
    names,
    context: contextOf({ 'issuer.example.com:sub': ['subject'] }),
  });
}

describe('who may assume a role', () => {
  it.each<readonly [string, PrincipalNames, unknown, string]>([
    ['the user by name', USER, { AWS: ALICE }, 'allow'],
    ['the account of the user', USER, { AWS: ACCOUNT }, 'allow-account'],
    ['another user', USER, { AWS: `${ALICE}2` }, 'none'],
    ['another account', USER, { AWS: '444455556666' }, 'none'],
    ['the role of a session', SESSION, { AWS: ROLE }, 'allow'],
    ['everybody', USER, '*', 'allow'],
    ['a provider, which is nobody’s name', USER, { Federated: PROVIDER }, 'none'],
    ['nobody, by the account without id', namesOf(ANONYMOUS, null), { AWS: ACCOUNT }, 'none'],
  ])('%s: %s', (_name, names, principal, expected) => {
    expect(verdict(names, principal)).toBe(expected);
  });

  it('a web identity by its provider and its claims', () => {
    const action = 'sts:AssumeRoleWithWebIdentity';
    const under = (sub: string): Readonly<Record<string, unknown>> => ({
      Condition: { StringEquals: { 'issuer.example.com:sub': sub } },
    });
    expect(verdict(WEB, { Federated: PROVIDER }, under('subject'), action)).toBe('allow');
    expect(verdict(WEB, { Federated: PROVIDER }, under('other'), action)).toBe('none');
    expect(verdict(WEB, { Federated: `${PROVIDER}2` }, {}, action)).toBe('none');
    expect(verdict(WEB, { AWS: ACCOUNT }, {}, action)).toBe('none');
  });

  it('only by the action that the policy allows, and never against a denial', () => {
    expect(verdict(USER, { AWS: ALICE }, { Action: 'sts:TagSession' })).toBe('none');
    expect(verdict(USER, '*', { Effect: 'Deny' })).toBe('deny');
  });
});
