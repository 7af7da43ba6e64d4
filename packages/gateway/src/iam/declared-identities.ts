import { createHash } from 'node:crypto';

import { hasCode, StoreError } from '@azimuth/common';
import { z } from 'zod';

import { requireStrongCredentials } from '../auth/credentials';
import { builtInPolicies } from '../auth/managed-policies';
import { policyArn } from '../auth/arn';
import { parsePolicyDocument } from '../auth/policy/parse-policy';
import type { PolicyKind } from '../auth/policy/policy-document';
import { S3Error } from '../s3/s3-error';
import {
  GROUP_NAME,
  PATH,
  POLICY_NAME,
  ROLE_NAME,
  SESSION_SECONDS_MAX,
  SESSION_SECONDS_MIN,
  USER_NAME,
} from './iam-limits';

/** Accounts and what is in them, as a file declares them. */
const name = (rule: typeof USER_NAME): z.ZodString =>
  z
    .string()
    .max(rule.lengthMax)
    .regex(rule.pattern ?? /^/);
const path = z
  .string()
  .regex(PATH.pattern ?? /^/)
  .default('/');

function document(kind: PolicyKind): z.ZodType<string> {
  return z
    .union([z.string(), z.record(z.string(), z.unknown())])
    .transform((value) => (typeof value === 'string' ? value : JSON.stringify(value)))
    .superRefine((text, context) => {
      try {
        parsePolicyDocument(text, kind);
      } catch (error) {
        const reason = error instanceof S3Error ? error.message : 'not a policy';
        context.addIssue({ code: 'custom', message: reason });
      }
    });
}

const keys = z
  .array(
    z
      .strictObject({ accessKey: z.string().min(1), secretKey: z.string().min(1) })
      .superRefine(({ accessKey, secretKey }, context) => {
        try {
          requireStrongCredentials(accessKey, secretKey);
        } catch (error) {
          if (!hasCode(error, 'INVALID_ARGUMENT')) throw error;
          const reason = String(error.detail['configuration']);
          context.addIssue({ code: 'custom', message: reason });
        }
      }),
  )
  .default([]);

const policies = {
  /** Inline policies by name. */
  policies: z.record(name(POLICY_NAME), document('identity')).default({}),
  /** ARNs of managed policies. */
  attachedPolicies: z.array(z.string()).default([]),
};
const tags = z.record(z.string(), z.string()).default({});

const user = z.strictObject({
  name: name(USER_NAME),
  path,
  keys,
  ...policies,
  groups: z.array(name(GROUP_NAME)).default([]),
  permissionsBoundary: z.string().nullable().default(null),
  tags,
});
const group = z.strictObject({ name: name(GROUP_NAME), path, ...policies });
const role = z.strictObject({
  name: name(ROLE_NAME),
  path,
  description: z.string().max(1_000).default(''),
  trustPolicy: document('trust'),
  maxSessionSeconds: z
    .number()
    .int()
    .min(SESSION_SECONDS_MIN)
    .max(SESSION_SECONDS_MAX)
    .default(SESSION_SECONDS_MIN),
  ...policies,
  permissionsBoundary: z.string().nullable().default(null),
  tags,
});
const managedPolicy = z.strictObject({
  name: name(POLICY_NAME),
  path,
  description: z.string().max(1_000).default(''),
  document: document('identity'),
});

const account = z
  .strictObject({
    /** 12 digits. */
    id: z.string().regex(/^\d{12}$/, 'an account id has 12 digits'),
    /** 64 hexadecimal digits; made from the id when absent. */
    canonicalId: z
      .string()
      .regex(/^[0-9a-f]{64}$/, 'a canonical id has 64 lower-case hexadecimal digits')
      .optional(),
    displayName: z.string().min(1).max(128),
    email: z.string().max(320).default(''),
    /** Of the root. */
    keys,
    users: z.array(user).default([]),
    groups: z.array(group).default([]),
    roles: z.array(role).default([]),
    managedPolicies: z.array(managedPolicy).default([]),
  })
  .transform((each) => ({ ...each, canonicalId: each.canonicalId ?? canonicalIdOf(each.id) }));

const documentSchema = z
  .strictObject({ accounts: z.array(account) })
  .superRefine((value, context) => {
    for (const [what, found] of Object.entries(namesOf(value.accounts))) {
      const twice = found.find((each, index) => found.indexOf(each) !== index);
      if (twice !== undefined) {
        context.addIssue({ code: 'custom', message: `${what} ${twice} is given twice` });
      }
    }
  });

export type DeclaredIdentities = z.infer<typeof documentSchema>;
export type DeclaredAccount = DeclaredIdentities['accounts'][number];

/** For accounts that do not choose one. */
function canonicalIdOf(accountId: string): string {
  return createHash('sha256').update(`azimuth account\n${accountId}`).digest('hex');
}

type Named = z.infer<typeof account>;

/** Everything that there can be only one of. Names of IAM are compared without case. */
function namesOf(accounts: readonly Named[]): Readonly<Record<string, readonly string[]>> {
  const inAccount = (pick: (each: Named) => readonly { readonly name: string }[]): string[] =>
    accounts.flatMap((each) => pick(each).map((one) => `${each.id}/${one.name.toLowerCase()}`));
  return {
    'account id': accounts.map(({ id }) => id),
    'canonical id': accounts.map(({ canonicalId }) => canonicalId),
    'e-mail': accounts.map(({ email }) => email.toLowerCase()).filter((email) => email !== ''),
    'access key': accounts.flatMap((each) =>
      [each, ...each.users].flatMap((holder) => holder.keys.map(({ accessKey }) => accessKey)),
    ),
    user: inAccount((each) => each.users),
    group: inAccount((each) => each.groups),
    role: inAccount((each) => each.roles),
    policy: inAccount((each) => each.managedPolicies),
  };
}

/**
 * @throws StoreError INVALID_ARGUMENT saying what is wrong and where, never a value: it may be a
 *   secret.
 */
export function parseDeclaredIdentities(text: string): DeclaredIdentities {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // What the parser says quotes the text.
    throw new StoreError('INVALID_ARGUMENT', { identities: 'not valid JSON' });
  }
  const parsed = documentSchema.safeParse(value);
  if (parsed.success) {
    requireReferences(parsed.data);
    return parsed.data;
  }
  const issues = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
  throw new StoreError('INVALID_ARGUMENT', { identities: issues.slice(0, 20).join('; ') });
}

/** Groups of users exist, and managed policies of the account too. */
function requireReferences({ accounts }: DeclaredIdentities): void {
  for (const each of accounts) {
    const groups = new Set(each.groups.map((one) => one.name.toLowerCase()));
    for (const one of each.users) {
      const missing = one.groups.find((groupName) => !groups.has(groupName.toLowerCase()));
      if (missing === undefined) continue;
      throw new StoreError('INVALID_ARGUMENT', {
        identities: `user ${one.name} of account ${each.id}: there is no group ${missing}`,
      });
    }
    const bounded = [...each.users, ...each.roles].flatMap(
      ({ name: holder, permissionsBoundary }) =>
        permissionsBoundary === null ? [] : [{ holder, arn: permissionsBoundary }],
    );
    const attached = [...each.users, ...each.groups, ...each.roles].flatMap((one) =>
      one.attachedPolicies.map((arn) => ({ holder: one.name, arn })),
    );
    for (const { holder, arn } of [...bounded, ...attached]) {
      if (isKnownPolicy(arn, each)) continue;
      throw new StoreError('INVALID_ARGUMENT', {
        identities: `${holder} of account ${each.id}: there is no policy ${arn}`,
      });
    }
  }
}

/** Declared with the account, or built in: what the API makes may be gone at the next reload. */
function isKnownPolicy(arn: string, { id, managedPolicies }: DeclaredAccount): boolean {
  if (builtInPolicies().some((policy) => policyArn(policy) === arn)) return true;
  return managedPolicies.some(
    (one) => policyArn({ accountId: id, path: one.path, policyName: one.name }) === arn,
  );
}
