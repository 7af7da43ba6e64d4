import type { IdentityChange, IdentityKind } from '@azimuth/proto';
import { IDENTITY_KINDS } from '@azimuth/proto';
import { z } from 'zod';

/** The shape of identities. What their policies say is checked by the gateway that makes them. */
const NAME_LENGTH_MAX = 512;
const TEXT_LENGTH_MAX = 8_192;
/** IAM's limits are 6,144 to 10,240 characters for a holder; one document can be no larger. */
const DOCUMENT_LENGTH_MAX = 131_072;
const LIST_LENGTH_MAX = 1_000;
const POLICY_VERSIONS_MAX = 5;

const name = z.string().min(1).max(NAME_LENGTH_MAX);
const text = z.string().max(TEXT_LENGTH_MAX);
const document = z.string().max(DOCUMENT_LENGTH_MAX);
const count = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
const names = z.array(name).max(LIST_LENGTH_MAX);
const tags = z.record(text, text);

const holder = {
  accountId: name,
  path: text,
  createdMs: count,
  isDeclared: z.boolean(),
  inlinePolicies: z.record(name, document),
  attachedPolicyArns: names,
};

const RECORDS: Readonly<Record<IdentityKind, z.ZodType>> = {
  account: z.object({
    accountId: name,
    canonicalId: name,
    displayName: text,
    email: text,
    createdMs: count,
    isDeclared: z.boolean(),
    publicAccessBlock: document.nullable(),
  }),
  user: z.object({
    ...holder,
    userName: name,
    userId: name,
    groups: names,
    permissionsBoundaryArn: text.nullable(),
    tags,
  }),
  group: z.object({ ...holder, groupName: name, groupId: name }),
  role: z.object({
    ...holder,
    roleName: name,
    roleId: name,
    description: text,
    assumeRolePolicy: document,
    maxSessionSeconds: count,
    permissionsBoundaryArn: text.nullable(),
    tags,
  }),
  policy: z.object({
    accountId: name,
    policyName: name,
    policyId: name,
    path: text,
    description: text,
    createdMs: count,
    updatedMs: count,
    isDeclared: z.boolean(),
    defaultVersionId: name,
    versions: z
      .array(z.object({ versionId: name, document, createdMs: count }))
      .max(POLICY_VERSIONS_MAX),
    tags,
  }),
  'access-key': z.object({
    accessKeyId: name,
    secretKey: name,
    accountId: name,
    userName: name.nullable(),
    isActive: z.boolean(),
    createdMs: count,
    isDeclared: z.boolean(),
  }),
  'oidc-provider': z.object({
    accountId: name,
    url: text,
    clientIds: names,
    thumbprints: names,
    createdMs: count,
  }),
  'token-key': z.object({ keyId: name, secret: name, createdMs: count }),
};

const removal = z.object({ kind: z.enum(IDENTITY_KINDS), name, record: z.null() });

export const identityChange: z.ZodType<IdentityChange> = z.custom<IdentityChange>((value) => {
  if (removal.safeParse(value).success) return true;
  const { kind, name: recordName, record } = (value ?? {}) as Partial<IdentityChange>;
  const schema = kind !== undefined && Object.hasOwn(RECORDS, kind) ? RECORDS[kind] : undefined;
  return name.safeParse(recordName).success && schema?.safeParse(record).success === true;
});
