import type { Principal } from '../principal';
import { malformedPolicy } from './malformed-policy';

/** A principal as a policy names it. `account`: its id, or the ARN of its root. */
export type PolicyPrincipal =
  | { readonly kind: 'everybody' }
  | { readonly kind: 'account'; readonly accountId: string }
  | { readonly kind: 'arn'; readonly arn: string }
  | { readonly kind: 'canonical-user'; readonly canonicalId: string }
  | { readonly kind: 'service'; readonly service: string }
  | { readonly kind: 'federated'; readonly provider: string };

export interface PrincipalElement {
  /** NotPrincipal. */
  readonly isNegated: boolean;
  readonly principals: readonly PolicyPrincipal[];
}

/**
 * How a statement concerns somebody. `direct`: by name, or as everybody · `account`: the statement
 * is for the account, which decides by its own policies who of it may make use of that.
 */
export type PrincipalMatch = 'none' | 'account' | 'direct';

/** Who asks, by every name that a policy may call them. */
export interface PrincipalNames {
  readonly isRoot: boolean;
  readonly accountId: string;
  readonly canonicalId: string;
  /** The user; or the session and its role. */
  readonly arns: readonly string[];
  /** ARN of the identity provider that vouches for a web identity; null for everybody else. */
  readonly provider: string | null;
}

export function namesOf(principal: Principal, roleArn: string | null): PrincipalNames {
  const { kind, accountId, canonicalId, arn } = principal;
  return {
    isRoot: kind === 'root',
    accountId,
    // What AWS shows as the owner of anonymous requests is nobody that a policy could name.
    canonicalId: kind === 'anonymous' ? '' : canonicalId,
    arns: kind === 'anonymous' ? [] : roleArn === null ? [arn] : [arn, roleArn],
    provider: null,
  };
}

export function matchPrincipal(element: PrincipalElement, names: PrincipalNames): PrincipalMatch {
  if (element.isNegated) {
    // An account among them exempts its root alone: the users of it are to be named (IAM guide).
    return element.principals.some((each) => isExempt(each, names)) ? 'none' : 'direct';
  }
  let match: PrincipalMatch = 'none';
  for (const each of element.principals) {
    const found = matchOne(each, names);
    if (found === 'direct') return 'direct';
    if (found === 'account') match = 'account';
  }
  return match;
}

function isExempt(principal: PolicyPrincipal, names: PrincipalNames): boolean {
  const match = matchOne(principal, names);
  return match === 'direct' || (match === 'account' && names.isRoot);
}

function matchOne(principal: PolicyPrincipal, names: PrincipalNames): PrincipalMatch {
  switch (principal.kind) {
    case 'everybody':
      return 'direct';
    case 'account':
      return names.accountId !== '' && principal.accountId === names.accountId ? 'account' : 'none';
    case 'canonical-user':
      return names.canonicalId !== '' && principal.canonicalId === names.canonicalId
        ? 'account'
        : 'none';
    case 'arn':
      return names.arns.includes(principal.arn) ? 'direct' : 'none';
    case 'federated':
      return names.provider !== null && principal.provider === names.provider ? 'direct' : 'none';
    case 'service':
      return 'none';
  }
}

const PRINCIPAL_TYPES = ['AWS', 'CanonicalUser', 'Service', 'Federated'] as const;
const INVALID = 'Invalid principal in policy';
const ROOT_ARN = /^arn:aws:iam::(\d{12}):root$/;
/** `arn:aws:iam::123456789012:user/path/name`, or of a session. No wildcards: a name or nobody. */
const PRINCIPAL_ARN =
  /^arn:aws:(?:iam::\d{12}:(?:user|role)|sts::\d{12}:(?:assumed-role|federated-user))\/[\w+=,.@/-]+$/;

/** @throws S3Error MalformedPolicy */
export function parsePrincipal(element: unknown, isNegated: boolean): PrincipalElement {
  if (element === '*') return { isNegated, principals: [{ kind: 'everybody' }] };
  if (typeof element !== 'object' || element === null || Array.isArray(element)) {
    throw malformedPolicy(INVALID);
  }
  const principals: PolicyPrincipal[] = [];
  for (const [type, value] of Object.entries(element)) {
    const names: unknown[] = Array.isArray(value) ? value : [value];
    for (const name of names) {
      if (typeof name !== 'string' || name === '') throw malformedPolicy(INVALID);
      principals.push(parseOne(type, name));
    }
  }
  if (principals.length === 0) throw malformedPolicy(INVALID);
  return { isNegated, principals };
}

function parseOne(type: string, name: string): PolicyPrincipal {
  switch (PRINCIPAL_TYPES.find((each) => each === type)) {
    case 'AWS':
      return parseAws(name);
    case 'CanonicalUser':
      if (/^[0-9a-f]{64}$/.test(name)) return { kind: 'canonical-user', canonicalId: name };
      break;
    case 'Service':
      if (/^[a-z0-9.-]+$/.test(name)) return { kind: 'service', service: name };
      break;
    case 'Federated':
      if (/^[\w:/.-]+$/.test(name)) return { kind: 'federated', provider: name };
      break;
    case undefined:
      break;
  }
  throw malformedPolicy(INVALID);
}

function parseAws(name: string): PolicyPrincipal {
  if (name === '*') return { kind: 'everybody' };
  const accountId = /^\d{12}$/.test(name) ? name : ROOT_ARN.exec(name)?.[1];
  if (accountId !== undefined) return { kind: 'account', accountId };
  if (PRINCIPAL_ARN.test(name)) return { kind: 'arn', arn: name };
  throw malformedPolicy(INVALID);
}
