import type { Conditions } from '../auth/authorize';
import { parsePolicyDocument } from '../auth/policy/parse-policy';
import type { PolicyKind } from '../auth/policy/policy-document';
import { QueryError } from '../query/query-error';
import type { QueryParameters } from '../query/query-parameters';
import type { AccountIdentities } from './account-identities';
import type { IamCall } from './iam-action';
import { ARN, DOCUMENT, PATH, PATH_PREFIX, TAG_KEY, TAG_VALUE, TAGS_MAX } from './iam-limits';

/** Parameters that several actions have. */

export function pathOf(parameters: QueryParameters, name = 'Path'): string {
  return parameters.optionalText(name, PATH) ?? '/';
}

export function pathPrefixOf(parameters: QueryParameters): string {
  return parameters.optionalText('PathPrefix', PATH_PREFIX) ?? '/';
}

/**
 * A policy document that the evaluator will understand when it is asked.
 *
 * @throws QueryError ValidationError, LimitExceeded; S3Error MalformedPolicy.
 */
export function documentOf(
  parameters: QueryParameters,
  name: string,
  kind: PolicyKind,
  lengthMax: number,
): string {
  const document = parameters.requiredText(name, DOCUMENT);
  requireDocumentLength(document, lengthMax);
  parsePolicyDocument(document, kind);
  return document;
}

export function requireDocumentLength(documents: string, lengthMax: number): void {
  if (documents.replaceAll(/\s/g, '').length <= lengthMax) return;
  throw new QueryError('LimitExceeded', `Cannot exceed quota for PolicySize: ${lengthMax}`);
}

/** @throws QueryError ValidationError, InvalidInput, LimitExceeded */
export function tagsOf(parameters: QueryParameters): Readonly<Record<string, string>> {
  const tags = new Map<string, string>();
  for (const each of parameters.structures('Tags')) {
    const key = each.requiredText('Key', TAG_KEY);
    if (key.toLowerCase().startsWith('aws:')) {
      throw new QueryError('InvalidInput', 'Tag keys must not begin with aws:.');
    }
    if (tags.has(key)) {
      throw new QueryError(
        'InvalidInput',
        'Duplicate tag keys found. Tag keys are case insensitive.',
      );
    }
    tags.set(key, each.requiredText('Value', TAG_VALUE));
  }
  requireTagCount(tags.size);
  return Object.fromEntries(tags);
}

export function requireTagCount(count: number): void {
  if (count <= TAGS_MAX) return;
  throw new QueryError(
    'LimitExceeded',
    `The number of tags has reached the maximum of ${TAGS_MAX}.`,
  );
}

/** @throws QueryError LimitExceeded */
export function requireRoom(count: number, max: number, quota: string): void {
  if (count < max) return;
  throw new QueryError('LimitExceeded', `Cannot exceed quota for ${quota}: ${max}`);
}

/** The permissions boundary of a request; null without one. @throws QueryError NoSuchEntity */
export function boundaryOf(parameters: QueryParameters, account: AccountIdentities): string | null {
  const arn = parameters.optionalText('PermissionsBoundary', ARN);
  if (arn !== null) account.requirePolicy(arn);
  return arn;
}

/** `iam:PermissionsBoundary`, `aws:RequestTag/…` and `aws:TagKeys` of what is being made. */
export function creationConditions({ parameters }: IamCall): Conditions {
  const boundary = parameters.optional('PermissionsBoundary');
  return {
    ...tagConditions(parameters),
    ...(boundary === null ? {} : { 'iam:PermissionsBoundary': [boundary] }),
  };
}

export function tagConditions(parameters: QueryParameters): Conditions {
  const conditions: [string, readonly string[]][] = [];
  const keys: string[] = [];
  for (const each of parameters.structures('Tags')) {
    const key = each.optional('Key') ?? '';
    keys.push(key);
    conditions.push([`aws:RequestTag/${key}`, [each.optional('Value') ?? '']]);
  }
  keys.push(...parameters.list('TagKeys'));
  if (keys.length > 0) conditions.push(['aws:TagKeys', keys]);
  return Object.fromEntries(conditions);
}

/** `iam:PolicyARN` of what is attached or detached. */
export function policyArnConditions({ parameters }: IamCall): Conditions {
  const arn = parameters.optional('PolicyArn');
  return arn === null ? {} : { 'iam:PolicyARN': [arn] };
}
