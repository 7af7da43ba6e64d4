import { Buffer } from 'node:buffer';

import type { Condition } from './condition';
import { parseConditions } from './condition';
import { parseJson } from './json-text';
import { malformedPolicy } from './malformed-policy';
import type { PatternElement, PolicyDocument, PolicyKind, Statement } from './policy-document';
import { parsePattern } from './policy-pattern';
import type { PrincipalElement } from './policy-principal';
import { parsePrincipal } from './policy-principal';

/** P-4: of a bucket policy. IAM has lower limits for its own, which its operations check. */
export const POLICY_BYTES_MAX = 20 * 1024;

const VERSIONS = ['2008-10-17', '2012-10-17'] as const;
const DOCUMENT_FIELDS: ReadonlySet<string> = new Set(['Version', 'Id', 'Statement']);
const STATEMENT_FIELDS: ReadonlySet<string> = new Set([
  'Sid',
  'Effect',
  'Principal',
  'NotPrincipal',
  'Action',
  'NotAction',
  'Resource',
  'NotResource',
  'Condition',
]);

/** What a service names its actions with: `s3:Get*`, `sts:AssumeRole`, or `*` for all. */
const ACTION = /^(?:\*|[a-zA-Z0-9*?-]+:[\w*?-]+)$/;

type Fields = Readonly<Record<string, unknown>>;

/**
 * Parses and compiles a policy of any kind. What only makes sense for the policy of a certain
 * bucket is checked by `parseBucketPolicy`.
 *
 * @throws S3Error MalformedPolicy with AWS's wording.
 */
export function parsePolicyDocument(text: string, kind: PolicyKind): PolicyDocument {
  if (Buffer.byteLength(text) > POLICY_BYTES_MAX) {
    throw malformedPolicy('Policy exceeds the maximum allowed document size.');
  }
  const document = requireFields(parseJson(text), DOCUMENT_FIELDS);
  const version = document['Version'] ?? '2008-10-17';
  const known = VERSIONS.find((each) => each === version);
  if (known === undefined) {
    throw malformedPolicy('The policy must contain a valid version string');
  }
  if (document['Id'] !== undefined && typeof document['Id'] !== 'string') {
    throw malformedPolicy('The policy must contain a valid Id');
  }
  if (document['Statement'] === undefined) {
    throw malformedPolicy('Missing required field Statement');
  }
  const listed = listOf(document['Statement']);
  if (listed.length === 0) throw malformedPolicy('Could not parse the policy: Statement is empty!');
  const statements = listed.map((each) => parseStatement(each, kind, known === '2012-10-17'));
  requireDistinctSids(statements);
  return { kind, version: known, statements, readsObjectTags: statements.some(readsObjectTags) };
}

function requireFields(value: unknown, known: ReadonlySet<string>): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw malformedPolicy("Policies must be valid JSON and the first byte must be '{'");
  }
  for (const name of Object.keys(value)) {
    if (!known.has(name)) throw malformedPolicy(`Unknown field ${name}`);
  }
  return value as Fields;
}

function parseStatement(value: unknown, kind: PolicyKind, hasVariables: boolean): Statement {
  const fields = requireFields(value, STATEMENT_FIELDS);
  const { Sid: sid, Condition: condition } = fields;
  if (sid !== undefined && typeof sid !== 'string') throw malformedPolicy('Invalid Sid');
  return {
    sid: sid ?? null,
    effect: parseEffect(fields['Effect']),
    principal: parsePrincipalOf(fields, kind),
    action: parseAction(fields),
    resource: parseResource(fields, kind, hasVariables),
    conditions: condition === undefined ? [] : parseConditions(condition, hasVariables),
  };
}

function parseEffect(effect: unknown): Statement['effect'] {
  if (effect === undefined) throw malformedPolicy('Missing required field Effect');
  if (effect === 'Allow' || effect === 'Deny') return effect;
  throw malformedPolicy(`Invalid effect: ${typeof effect === 'string' ? effect : '?'}`);
}

function parseAction(fields: Fields): PatternElement {
  const options = { wildcards: true, variables: false };
  const action = parseElement(fields, 'Action', options);
  if (action === null) throw malformedPolicy('Missing required field Action');
  for (const { source } of action.patterns) {
    if (!ACTION.test(source)) throw malformedPolicy('Policy has invalid action');
  }
  // Actions are compared without case.
  const folded = action.patterns.map(({ source }) => parsePattern(source.toLowerCase(), options));
  return { ...action, patterns: folded };
}

function parseResource(
  fields: Fields,
  kind: PolicyKind,
  hasVariables: boolean,
): PatternElement | null {
  const resource = parseElement(fields, 'Resource', { wildcards: true, variables: hasVariables });
  if (kind === 'trust' && resource !== null) {
    throw malformedPolicy('Has prohibited field Resource');
  }
  if (kind !== 'trust' && resource === null) {
    throw malformedPolicy('Missing required field Resource');
  }
  for (const { source } of resource?.patterns ?? []) {
    if (source !== '*' && !source.startsWith('arn:')) {
      throw malformedPolicy('Policy has invalid resource');
    }
  }
  return resource;
}

function parsePrincipalOf(fields: Fields, kind: PolicyKind): PrincipalElement | null {
  const { Principal: principal, NotPrincipal: notPrincipal } = fields;
  const isGiven = principal !== undefined || notPrincipal !== undefined;
  if (kind === 'identity') {
    if (isGiven) throw malformedPolicy('Policy document should not specify a principal.');
    return null;
  }
  if (!isGiven) throw malformedPolicy('Missing required field Principal');
  if (principal !== undefined && notPrincipal !== undefined) {
    throw malformedPolicy('A statement cannot have both Principal and NotPrincipal');
  }
  return principal === undefined
    ? parsePrincipal(notPrincipal, true)
    : parsePrincipal(principal, false);
}

/** `Action` or `NotAction`, exactly one of them, with one value or a list. */
function parseElement(
  fields: Fields,
  name: 'Action' | 'Resource',
  options: { readonly wildcards: boolean; readonly variables: boolean },
): PatternElement | null {
  const positive = fields[name];
  const negative = fields[`Not${name}`];
  if (positive !== undefined && negative !== undefined) {
    throw malformedPolicy(`A statement cannot have both ${name} and Not${name}`);
  }
  const value = positive ?? negative;
  if (value === undefined) return null;
  const invalid = `Policy has invalid ${name.toLowerCase()}`;
  const texts = listOf(value);
  if (texts.length === 0) throw malformedPolicy(invalid);
  const patterns = texts.map((text) => {
    if (typeof text !== 'string') throw malformedPolicy(invalid);
    return parsePattern(text, options);
  });
  return { isNegated: positive === undefined, patterns };
}

function requireDistinctSids(statements: readonly Statement[]): void {
  const sids = statements.flatMap(({ sid }) => (sid === null || sid === '' ? [] : [sid]));
  if (new Set(sids).size < sids.length) {
    throw malformedPolicy('Statement IDs (SID) in a single policy must be unique.');
  }
}

const OBJECT_TAG = 's3:existingobjecttag/';

function readsObjectTags({ conditions, resource }: Statement): boolean {
  const patterns = [
    ...(resource?.patterns ?? []),
    ...conditions.flatMap(({ values }: Condition) => values),
  ];
  return (
    conditions.some(({ key }) => key.startsWith(OBJECT_TAG)) ||
    patterns.some(({ source }) => source.toLowerCase().includes(OBJECT_TAG))
  );
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? (value as unknown[]) : [value];
}
