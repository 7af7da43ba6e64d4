import { Buffer } from 'node:buffer';

import { z } from 'zod';

import { S3Error } from '../s3-error';

/** One condition of a policy; field names in lower case. */
type PolicyCondition =
  | { readonly operator: 'eq' | 'starts-with'; readonly field: string; readonly value: string }
  | { readonly operator: 'content-length-range'; readonly min: number; readonly max: number };

/** What the signer of a POST form lets its sender do (G-12). */
export interface PostPolicy {
  readonly expiresMs: number;
  readonly conditions: readonly PolicyCondition[];
}

/** Bounds of the file, inclusive, of all `content-length-range` conditions together. */
export interface FileSizeRange {
  readonly minBytes: number;
  readonly maxBytes: number;
}

const POLICY_BYTES_MAX = 64 * 1024;
const CONDITIONS_MAX = 500;

const PAIR = z.tuple([z.string(), z.string().startsWith('$').min(2), z.string()]);
/** AWS takes the bounds as numbers and as texts of them. */
const BOUND = z.union([z.number().int().min(0), z.string().regex(/^[0-9]{1,15}$/)]);
const RANGE = z.tuple([z.string().regex(/^content-length-range$/i), BOUND, BOUND]);
const EXACT = z.record(z.string(), z.union([z.string(), z.number(), z.boolean()]));
const POLICY = z.object({
  expiration: z
    .string()
    .regex(/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:Z|[+-]\d{2}:?\d{2})$/i),
  conditions: z.array(z.union([PAIR, RANGE, EXACT])).max(CONDITIONS_MAX),
});

/**
 * Reads the `policy` field: base64 of JSON.
 *
 * @throws S3Error InvalidPolicyDocument.
 */
export function parsePostPolicy(policy: string): PostPolicy {
  if (policy.length > POLICY_BYTES_MAX) throw invalidPolicy('it is too large.');
  const text = Buffer.from(policy, 'base64').toString('utf8');
  let content: unknown;
  try {
    content = JSON.parse(withoutForeignEscapes(text));
  } catch {
    throw invalidPolicy('Invalid JSON.');
  }
  const parsed = POLICY.safeParse(content);
  if (!parsed.success) {
    const [where] = parsed.error.issues[0]?.path ?? [];
    throw invalidPolicy(`Invalid Simple-Condition or missing field: ${String(where ?? 'policy')}.`);
  }
  const expiresMs = Date.parse(parsed.data.expiration);
  if (Number.isNaN(expiresMs)) throw invalidPolicy('Invalid "expiration" value.');
  return { expiresMs, conditions: parsed.data.conditions.map(parseCondition) };
}

/** `\$` and `\v` are escapes of policies that JSON does not know. */
function withoutForeignEscapes(text: string): string {
  return text.replace(/\\([\s\S])/g, (escape, character: string) => {
    if (character === '$') return '$';
    return character === 'v' ? '\\u000b' : escape;
  });
}

type RawCondition = z.infer<typeof POLICY>['conditions'][number];

function parseCondition(condition: RawCondition): PolicyCondition {
  if (!Array.isArray(condition)) {
    const [exact, another] = Object.entries(condition);
    if (exact === undefined || another !== undefined) {
      throw invalidPolicy(
        'Invalid Simple-Condition: Simple-Conditions must have exactly one property specified.',
      );
    }
    return { operator: 'eq', field: exact[0].toLowerCase(), value: String(exact[1]) };
  }
  const [name, first, second] = condition;
  const operator = name.toLowerCase();
  if (operator === 'content-length-range')
    return { operator, min: Number(first), max: Number(second) };
  if (operator !== 'eq' && operator !== 'starts-with') {
    throw invalidPolicy(`Invalid operator: ${name}.`);
  }
  return { operator, field: String(first).slice(1).toLowerCase(), value: String(second) };
}

function invalidPolicy(reason: string): S3Error {
  return new S3Error('InvalidPolicyDocument', {}, { message: `Invalid Policy: ${reason}` });
}

/** Fields that need no condition: the policy cannot speak of its own signature. */
const UNCONDITIONED: ReadonlySet<string> = new Set([
  'policy',
  'x-amz-signature',
  'file',
  'awsaccesskeyid',
  'signature',
]);
const IGNORED_PREFIX = 'x-ignore-';

/**
 * Checks everything of a form but the size of its file, which is what it returns.
 *
 * @param fields by lower-case name, variables expanded, and `bucket`, which is the bucket that the
 *   request writes to, whatever a field of that name says.
 * @throws S3Error AccessDenied.
 */
export function checkPostPolicy(
  { expiresMs, conditions }: PostPolicy,
  fields: ReadonlyMap<string, string>,
  nowMs: number,
): FileSizeRange {
  if (nowMs >= expiresMs) throw denied('Policy expired.');
  let range: FileSizeRange = { minBytes: 0, maxBytes: Number.MAX_SAFE_INTEGER };
  const named = new Set<string>();
  for (const condition of conditions) {
    if (condition.operator === 'content-length-range') {
      const { min, max } = condition;
      range = {
        minBytes: Math.max(range.minBytes, min),
        maxBytes: Math.min(range.maxBytes, max),
      };
      continue;
    }
    named.add(condition.field);
    requireMatch(condition, fields.get(condition.field) ?? '');
  }
  const extra = [...fields.keys()].filter(
    (name) => !named.has(name) && !UNCONDITIONED.has(name) && !name.startsWith(IGNORED_PREFIX),
  );
  if (extra.length > 0) throw denied(`Extra input fields: ${extra.join(', ')}`);
  return range;
}

type FieldCondition = Exclude<PolicyCondition, { readonly operator: 'content-length-range' }>;

function requireMatch({ operator, field, value }: FieldCondition, actual: string): void {
  if (operator === 'eq') {
    if (actual === value) return;
  } else {
    // Of a list of content types each one has to match.
    const texts = field === 'content-type' ? actual.split(',') : [actual];
    if (texts.every((text) => text.trimStart().startsWith(value))) return;
  }
  const shown = JSON.stringify([operator, `$${field}`, value]);
  throw denied(`Policy Condition failed: ${shown}`);
}

function denied(reason: string): S3Error {
  return new S3Error('AccessDenied', {}, { message: `Invalid according to Policy: ${reason}` });
}
