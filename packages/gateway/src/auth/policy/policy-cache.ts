import { S3Error } from '../../s3/s3-error';
import { parsePolicyDocument } from './parse-policy';
import type { PolicyDocument, PolicyKind } from './policy-document';

/** Of at most 20 KiB each, and most are far smaller. */
const POLICIES_MAX = 2_048;

const DENY_ALL = {
  identity: '{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}',
  resource:
    '{"Version":"2012-10-17","Statement":{"Effect":"Deny","Principal":"*","Action":"*",' +
    '"Resource":"*"}}',
  trust: '{"Version":"2012-10-17","Statement":{"Effect":"Deny","Principal":"*","Action":"*"}}',
} as const;

/** Says no to everything: what stands for a policy that should be there and cannot be read. */
export function denyAll(kind: PolicyKind): PolicyDocument {
  return parsePolicyDocument(DENY_ALL[kind], kind);
}

/** Compiled policies by their text; those used least recently go first. */
export class PolicyCache {
  readonly #policiesMax: number;
  readonly #byText: Readonly<Record<PolicyKind, Map<string, PolicyDocument>>> = {
    identity: new Map(),
    resource: new Map(),
    trust: new Map(),
  };

  constructor(policiesMax = POLICIES_MAX) {
    this.#policiesMax = policiesMax;
  }

  /**
   * The policy of a text that was checked when it was put. One that cannot be read any more denies
   * everything: what it was to deny must not become allowed.
   */
  compile(text: string, kind: PolicyKind): PolicyDocument {
    const byText = this.#byText[kind];
    const known = byText.get(text);
    if (known !== undefined) {
      byText.delete(text);
      byText.set(text, known);
      return known;
    }
    const policy = compileOrDeny(text, kind);
    byText.set(text, policy);
    if (byText.size > this.#policiesMax) {
      const oldest = byText.keys().next();
      if (oldest.done !== true) byText.delete(oldest.value);
    }
    return policy;
  }
}

function compileOrDeny(text: string, kind: PolicyKind): PolicyDocument {
  try {
    return parsePolicyDocument(text, kind);
  } catch (error) {
    if (error instanceof S3Error) return denyAll(kind);
    throw error;
  }
}
