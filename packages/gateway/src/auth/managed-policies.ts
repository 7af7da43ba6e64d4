import type { IdentitySnapshot } from '@azimuth/clients';
import type { PolicyRecord } from '@azimuth/proto';
import { identityName } from '@azimuth/proto';

import { parseIamArn, policyArn } from './arn';

/** When they were made here; AWS shows a date for each. */
const BUILT_IN_CREATED_MS = Date.UTC(2015, 1, 6, 18, 40, 0);
const BUILT_IN_ACCOUNT = 'aws';

/** The policies of AWS that make sense here, under their names: scripts attach them everywhere. */
const BUILT_IN: ReadonlyMap<string, PolicyRecord> = new Map(
  [
    builtIn('AdministratorAccess', 'Full access to everything.', [['*'], '*']),
    builtIn('AmazonS3FullAccess', 'Full access to all buckets.', [['s3:*'], '*']),
    builtIn('AmazonS3ReadOnlyAccess', 'Read access to all buckets.', [
      ['s3:Get*', 's3:List*', 's3:Describe*'],
      '*',
    ]),
    builtIn('IAMFullAccess', 'Full access to identities.', [['iam:*'], '*']),
    builtIn('IAMReadOnlyAccess', 'Read access to identities.', [
      ['iam:Get*', 'iam:List*', 'iam:Generate*', 'iam:Simulate*'],
      '*',
    ]),
  ].map((policy) => [policyArn(policy), policy]),
);

function builtIn(
  policyName: string,
  description: string,
  [Action, Resource]: readonly [readonly string[], string],
): PolicyRecord {
  const document = JSON.stringify({
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Action, Resource }],
  });
  return {
    accountId: BUILT_IN_ACCOUNT,
    policyName,
    policyId: `ANPA${policyName.toUpperCase().padEnd(17, 'Z').slice(0, 17)}`,
    path: '/',
    description,
    createdMs: BUILT_IN_CREATED_MS,
    updatedMs: BUILT_IN_CREATED_MS,
    isDeclared: true,
    defaultVersionId: 'v1',
    versions: [{ versionId: 'v1', document, createdMs: BUILT_IN_CREATED_MS }],
    tags: {},
  };
}

export function builtInPolicies(): readonly PolicyRecord[] {
  return [...BUILT_IN.values()];
}

/** The managed policy of an ARN, of an account or built in; null when there is none. */
export function managedPolicy(snapshot: IdentitySnapshot, arn: string): PolicyRecord | null {
  const builtInPolicy = BUILT_IN.get(arn);
  if (builtInPolicy !== undefined) return builtInPolicy;
  const parsed = parseIamArn(arn);
  if (parsed?.type !== 'policy') return null;
  const policy = snapshot.get('policy', identityName(parsed.accountId, parsed.name));
  return policy !== null && policyArn(policy) === arn ? policy : null;
}

/** What a managed policy says: its default version. Null when there is no such policy. */
export function managedPolicyDocument(snapshot: IdentitySnapshot, arn: string): string | null {
  const policy = managedPolicy(snapshot, arn);
  const version = policy?.versions.find(({ versionId }) => versionId === policy.defaultVersionId);
  return version?.document ?? null;
}
