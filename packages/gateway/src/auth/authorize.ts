import type { BucketRecord, VersionHead } from '@azimuth/proto';

import { S3Error } from '../s3/s3-error';
import type { Principal } from './principal';

/** What an action is done to. */
export interface AccessTarget {
  /** Null for ListBuckets and for a bucket that does not exist yet. */
  readonly bucket: BucketRecord | null;
  readonly bucketName: string | null;
  readonly key: string | null;
  readonly versionId: string | null;
  /** The object is written by this request: where ACLs are enabled, its writer will own it. */
  readonly isNew?: boolean;
  /** What an action of another service than S3 is done to. */
  readonly arn?: string;
  /**
   * The version as it is stored, looked up only when a rule asks for its ACL or its tags; absent
   * for actions on buckets, null when there is no such version.
   */
  readonly object?: () => Promise<VersionHead | null>;
}

/** What the request says of itself and of its way here, for conditions. */
export interface RequestFacts {
  readonly sourceIp: string;
  readonly isSecure: boolean;
  /** `1.3`; absent when a proxy ended TLS, or there was none. */
  readonly tlsVersion?: string;
  readonly nowMs: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly query: ReadonlyMap<string, string>;
  readonly signature: SignatureFacts | null;
}

export interface SignatureFacts {
  /** `AWS4-HMAC-SHA256` or `AWS`. */
  readonly version: string;
  readonly type: 'REST-HEADER' | 'REST-QUERY-STRING' | 'POST';
  /** Milliseconds since the request was signed. */
  readonly ageMs: number;
  readonly contentSha256: string;
}

/** One thing that somebody wants to do. */
export interface AccessRequest {
  readonly principal: Principal;
  /** `s3:PutObject` */
  readonly action: string;
  readonly target: AccessTarget;
  readonly facts: RequestFacts;
  /** Condition keys of this action alone, `s3:RequestObjectTag/team` → values. */
  readonly conditions?: Readonly<Record<string, readonly string[]>>;
}

/** Decides who may do what. */
export interface Authorizer {
  isAllowed(request: AccessRequest): boolean | Promise<boolean>;
}

/**
 * The access of one request: who asks and with which facts is fixed, so that an operation can ask
 * about the secondary objects it touches (P-2: copy sources, each key of DeleteObjects).
 */
export interface RequestAccess {
  /** @throws S3Error AccessDenied */
  require(action: string, target: AccessTarget, conditions?: Conditions): Promise<void>;
  isAllowed(action: string, target: AccessTarget, conditions?: Conditions): Promise<boolean>;
}

export type Conditions = Readonly<Record<string, readonly string[]>>;

export function accessOf(
  authorizer: Authorizer,
  principal: Principal,
  facts: RequestFacts,
): RequestAccess {
  const isAllowed = async (
    action: string,
    target: AccessTarget,
    conditions?: Conditions,
  ): Promise<boolean> =>
    authorizer.isAllowed({
      principal,
      action,
      target,
      facts,
      ...(conditions === undefined ? {} : { conditions }),
    });
  return {
    isAllowed,
    async require(action, target, conditions) {
      if (!(await isAllowed(action, target, conditions))) throw new S3Error('AccessDenied');
    },
  };
}
