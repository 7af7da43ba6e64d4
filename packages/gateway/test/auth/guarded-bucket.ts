import type { Answer } from '../support/test-gateway';
import type { Caller } from './account-gateway';
import { AccountGateway } from './account-gateway';
import { policyText } from './policy/policy-fixture';

export const BUCKET = 'guarded';
export const EVERYTHING = policyText({ Effect: 'Allow', Action: '*', Resource: '*' });
export const NOTHING = policyText({ Effect: 'Allow', Action: 'iam:GetUser', Resource: '*' });
export const NOT_BLOCKED = {
  blockPublicAcls: false,
  ignorePublicAcls: false,
  blockPublicPolicy: false,
  restrictPublicBuckets: false,
};
export const READ = {
  Effect: 'Allow',
  Action: 's3:GetObject',
  Resource: `arn:aws:s3:::${BUCKET}/*`,
};
export const LIST = { Effect: 'Allow', Action: 's3:List*', Resource: `arn:aws:s3:::${BUCKET}` };

/** A bucket of the owner with the objects `key` and `tagged`, and everybody who might want them. */
export class GuardedBucket {
  readonly gateway: AccountGateway;

  private constructor(gateway: AccountGateway) {
    this.gateway = gateway;
  }

  static async start(): Promise<GuardedBucket> {
    const gateway = await AccountGateway.start({ trustedProxies: ['192.0.2.0/24'] });
    await gateway.arrange('PUT', `/${BUCKET}`);
    await gateway.arrange('PUT', `/${BUCKET}/key`, 'bytes');
    await gateway.arrange('PUT', `/${BUCKET}/tagged`, 'bytes', { 'x-amz-tagging': 'team=a' });
    return new GuardedBucket(gateway);
  }

  /** Nobody but the owner may do anything, and nothing is blocked. */
  async reset(): Promise<void> {
    await this.gateway.allow('alice', NOTHING);
    await this.gateway.allow('bob', NOTHING);
    await this.gateway.configure(BUCKET, 'policy', null);
    await this.gateway.configure(BUCKET, 'acl', null);
    await this.gateway.configure(BUCKET, 'public-access-block', NOT_BLOCKED);
    await this.gateway.configure(BUCKET, 'ownership', 'BucketOwnerEnforced');
  }

  get(caller: Caller, target = `/${BUCKET}/key`, headers = {}): Promise<Answer> {
    return this.gateway.call(caller, { method: 'GET', target, headers });
  }

  async statusOf(caller: Caller, target?: string, headers = {}): Promise<number> {
    return (await this.get(caller, target, headers)).status;
  }

  setPolicy(...statements: readonly object[]): Promise<void> {
    return this.gateway.configure(BUCKET, 'policy', policyText(...statements));
  }
}
