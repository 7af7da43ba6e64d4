import { S3Error } from '../../s3/s3-error';
import { parsePolicyDocument } from './parse-policy';
import type { PolicyDocument, PolicyKind } from './policy-document';

/** Of the texts of all policies; compiled they take a few times that. */
const CHARACTERS_MAX = 4 * 1024 * 1024;

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

/** Compiled policies by their kind and text; those used least recently go first. */
export class PolicyCache {
  readonly #charactersMax: number;
  readonly #policies = new Map<string, PolicyDocument>();
  #characters = 0;

  constructor(charactersMax = CHARACTERS_MAX) {
    this.#charactersMax = charactersMax;
  }

  get characters(): number {
    return this.#characters;
  }

  /**
   * The policy of a text that was checked when it was put. One that cannot be read any more denies
   * everything: what it was to deny must not become allowed.
   */
  compile(text: string, kind: PolicyKind): PolicyDocument {
    const name = `${kind} ${text}`;
    const known = this.#policies.get(name);
    if (known !== undefined) {
      this.#policies.delete(name);
      this.#policies.set(name, known);
      return known;
    }
    const policy = compileOrDeny(text, kind);
    this.#policies.set(name, policy);
    this.#characters += name.length;
    for (const oldest of this.#policies.keys()) {
      if (this.#characters <= this.#charactersMax || oldest === name) break;
      this.#policies.delete(oldest);
      this.#characters -= oldest.length;
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
