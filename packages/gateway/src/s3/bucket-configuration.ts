import type { OutagePolicy } from '@azimuth/placement';
import { OUTAGE_POLICY_CONFIGURATION } from '@azimuth/proto';
import type { BucketRecord } from '@azimuth/proto';

import type { AccountDirectory } from '../auth/accounts';
import type { AccessControlList } from './access-control-list';

export const OBJECT_OWNERSHIPS = [
  'BucketOwnerEnforced',
  'BucketOwnerPreferred',
  'ObjectWriter',
] as const;
export type ObjectOwnership = (typeof OBJECT_OWNERSHIPS)[number];

/** P-5. */
export interface PublicAccessBlock {
  readonly blockPublicAcls: boolean;
  readonly ignorePublicAcls: boolean;
  readonly blockPublicPolicy: boolean;
  readonly restrictPublicBuckets: boolean;
}

export interface CorsRule {
  readonly id: string | null;
  readonly allowedOrigins: readonly string[];
  readonly allowedMethods: readonly string[];
  readonly allowedHeaders: readonly string[];
  readonly exposeHeaders: readonly string[];
  readonly maxAgeSeconds: number | null;
}

/** either all requests are redirected, or there is an index document. */
export interface WebsiteConfiguration {
  readonly redirectAll: { readonly hostName: string; readonly protocol: string | null } | null;
  readonly indexSuffix: string | null;
  readonly errorKey: string | null;
  readonly routingRules: readonly RoutingRule[];
}

export interface RoutingRule {
  readonly condition: {
    readonly keyPrefix: string | null;
    readonly errorCode: number | null;
  } | null;
  readonly redirect: {
    readonly hostName: string | null;
    readonly protocol: string | null;
    readonly statusCode: number | null;
    readonly replaceKeyPrefixWith: string | null;
    readonly replaceKeyWith: string | null;
  };
}

/**
 * Name → content of the configurations that this gateway acts on. Each is stored as JSON under its
 * name in the bucket's record; all were checked when they were put.
 */
export interface BucketConfigurations {
  /** The policy as its author wrote it. */
  readonly policy: string;
  readonly acl: AccessControlList;
  readonly ownership: ObjectOwnership;
  readonly 'public-access-block': PublicAccessBlock;
  readonly cors: readonly CorsRule[];
  readonly tagging: Readonly<Record<string, string>>;
  readonly 'request-payment': 'BucketOwner' | 'Requester';
  readonly accelerate: 'Enabled' | 'Suspended';
  readonly website: WebsiteConfiguration;
  /** Put by `azimuth bucket outage-policy`; S3 has no operation for it. */
  readonly [OUTAGE_POLICY_CONFIGURATION]: OutagePolicy;
}

export type BucketConfigurationName = keyof BucketConfigurations;

const parsed = new WeakMap<BucketRecord, Map<string, unknown>>();

/** The configuration of a bucket, parsed once a record; null when there is none. */
export function bucketConfiguration<Name extends BucketConfigurationName>(
  bucket: BucketRecord,
  name: Name,
): BucketConfigurations[Name] | null {
  const document = bucket.configurations[name];
  if (document === undefined) return null;
  let byName = parsed.get(bucket);
  if (byName === undefined) {
    byName = new Map<string, unknown>();
    parsed.set(bucket, byName);
  }
  if (!byName.has(name)) byName.set(name, JSON.parse(document));
  return byName.get(name) as BucketConfigurations[Name];
}

/**
 * P-8: CreateBucket stores `BucketOwnerEnforced` unless it is told otherwise. A bucket whose
 * controls were deleted is what all buckets were before there were any.
 */
export function ownershipOf(bucket: BucketRecord): ObjectOwnership {
  return bucketConfiguration(bucket, 'ownership') ?? 'ObjectWriter';
}

/** What writes into the bucket do while no whole normal placement group is left. */
export function outagePolicyOf(bucket: BucketRecord): OutagePolicy {
  return bucketConfiguration(bucket, OUTAGE_POLICY_CONFIGURATION) ?? 'reduced';
}

export function parseObjectOwnership(text: string): ObjectOwnership | null {
  return OBJECT_OWNERSHIPS.find((each) => each === text) ?? null;
}

const NOTHING_BLOCKED: PublicAccessBlock = {
  blockPublicAcls: false,
  ignorePublicAcls: false,
  blockPublicPolicy: false,
  restrictPublicBuckets: false,
};

export const EVERYTHING_BLOCKED: PublicAccessBlock = {
  blockPublicAcls: true,
  ignorePublicAcls: true,
  blockPublicPolicy: true,
  restrictPublicBuckets: true,
};

/** P-5: what holds for a bucket, which is each flag that the bucket or its owner's account sets. */
export function publicAccessBlockOf(
  bucket: BucketRecord,
  accounts: AccountDirectory,
): PublicAccessBlock {
  const own = bucketConfiguration(bucket, 'public-access-block') ?? NOTHING_BLOCKED;
  const stored = accounts.byCanonicalId(bucket.owner)?.publicAccessBlock ?? null;
  if (stored === null) return own;
  const ofAccount = JSON.parse(stored) as PublicAccessBlock;
  return {
    blockPublicAcls: own.blockPublicAcls || ofAccount.blockPublicAcls,
    ignorePublicAcls: own.ignorePublicAcls || ofAccount.ignorePublicAcls,
    blockPublicPolicy: own.blockPublicPolicy || ofAccount.blockPublicPolicy,
    restrictPublicBuckets: own.restrictPublicBuckets || ofAccount.restrictPublicBuckets,
  };
}
