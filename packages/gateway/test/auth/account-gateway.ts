import { createHash } from 'node:crypto';

import { required } from '@azimuth/common';
import type { IdentityChange, UserRecord } from '@azimuth/proto';
import { identityName } from '@azimuth/proto';
import type { MemoryMetadataClient } from '@azimuth/testkit';

import { clusterRootPrincipal } from '../../src/auth/credentials';
import type { GatewayService } from '../../src/gateway-service';
import type { BucketConfigurationName } from '../../src/s3/bucket-configuration';
import { CLUSTER_ID, CLUSTER_REGION, ClusterGateway, ROOT } from '../support/cluster-gateway';
import { sha256, signHeaders } from '../support/sigv4-signer';
import type { Answer } from '../support/test-gateway';
import { send } from '../support/test-gateway';

export const OWNER = clusterRootPrincipal(CLUSTER_ID);
export const OTHER_ACCOUNT = {
  accountId: '222233334444',
  canonicalId: '2'.repeat(64),
  displayName: 'other',
};
const SECRET = 'a secret for every key of these tests';

/** Whoever may ask: roots of two accounts, a user of each, and everybody. */
export type Caller = 'owner' | 'alice' | 'other' | 'bob' | 'nobody';

const KEYS: Readonly<Record<Exclude<Caller, 'nobody'>, string>> = {
  owner: ROOT.accessKeyId,
  alice: 'ALICEKEY00000001',
  other: 'OTHERKEY00000001',
  bob: 'BOBKEY0000000001',
};
const ACCOUNT_OF = { alice: OWNER.accountId, bob: OTHER_ACCOUNT.accountId };

export const ALICE_ARN = `arn:aws:iam::${OWNER.accountId}:user/alice`;
export const BOB_ARN = `arn:aws:iam::${OTHER_ACCOUNT.accountId}:user/bob`;

export interface Call {
  readonly method: string;
  readonly target: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** A whole gateway over the reference models, with users whose policies the tests change. */
export class AccountGateway {
  readonly metadata: MemoryMetadataClient;
  readonly #service: GatewayService;

  private constructor({ metadata, service }: ClusterGateway) {
    this.metadata = metadata;
    this.#service = service;
  }

  static async start(settings: Readonly<Record<string, unknown>> = {}): Promise<AccountGateway> {
    const gateway = new AccountGateway(await ClusterGateway.start(settings));
    await gateway.#addIdentities();
    return gateway;
  }

  close(): Promise<void> {
    return this.#service.close();
  }

  async call(caller: Caller, { method, target, headers = {}, body = '' }: Call): Promise<Answer> {
    const host = `127.0.0.1:${this.#service.httpPort}`;
    const timestamp = new Date().toISOString().replaceAll(/[-:]|\.\d+/g, '');
    const integrity = { 'content-md5': createHash('md5').update(body).digest('base64') };
    const unsigned = {
      method,
      target,
      headers: { host, ...(body === '' ? {} : integrity), ...headers },
      payloadHash: sha256(body),
    };
    const signed =
      caller === 'nobody'
        ? unsigned.headers
        : signHeaders(unsigned, {
            accessKeyId: KEYS[caller],
            secretKey: caller === 'owner' ? ROOT.secretAccessKey : SECRET,
            region: CLUSTER_REGION,
            timestamp,
          });
    return send(
      { port: this.#service.httpPort },
      { method, target, headers: signed, ...(body === '' ? {} : { body: Buffer.from(body) }) },
    );
  }

  /** The same as the owner, who must be let in. */
  async arrange(method: string, target: string, body = '', headers = {}): Promise<Answer> {
    const answer = await this.call('owner', { method, target, body, headers });
    if (answer.status >= 300) throw new Error(`${method} ${target}: ${answer.body.toString()}`);
    return answer;
  }

  /** Makes one policy all that a user may do. */
  async allow(
    user: 'alice' | 'bob',
    policy: string,
    change: Partial<UserRecord> = {},
  ): Promise<void> {
    await this.commit([userChange(user, { inlinePolicies: { policy }, ...change })]);
  }

  async configure(bucket: string, name: BucketConfigurationName, value: unknown): Promise<void> {
    const document = value === null ? null : JSON.stringify(value);
    const record = required(await this.metadata.view.bucket(bucket), 'bucket');
    await this.metadata.root('SetBucketConfiguration', {
      name: bucket,
      bucketId: record.bucketId,
      configuration: name,
      document,
    });
  }

  async commit(changes: readonly IdentityChange[]): Promise<void> {
    const { revision } = this.metadata.view.identities();
    await this.metadata.root('CommitIdentities', { expectedRevision: revision, changes });
  }

  async #addIdentities(): Promise<void> {
    const common = { createdMs: 0, isDeclared: false };
    const key = (accessKeyId: string, accountId: string, userName: string | null) => ({
      kind: 'access-key' as const,
      name: accessKeyId,
      record: { ...common, accessKeyId, secretKey: SECRET, accountId, userName, isActive: true },
    });
    await this.commit([
      {
        kind: 'account',
        name: OTHER_ACCOUNT.accountId,
        record: {
          ...common,
          ...OTHER_ACCOUNT,
          email: 'other@example.com',
          publicAccessBlock: null,
        },
      },
      userChange('alice', {}),
      userChange('bob', {}),
      key(KEYS.alice, OWNER.accountId, 'alice'),
      key(KEYS.bob, OTHER_ACCOUNT.accountId, 'bob'),
      key(KEYS.other, OTHER_ACCOUNT.accountId, null),
    ]);
  }
}

function userChange(userName: 'alice' | 'bob', change: Partial<UserRecord>): IdentityChange {
  const accountId = ACCOUNT_OF[userName];
  return {
    kind: 'user',
    name: identityName(accountId, userName),
    record: {
      accountId,
      userName,
      userId: `AIDA${userName.toUpperCase()}`,
      path: '/',
      createdMs: 0,
      isDeclared: false,
      inlinePolicies: {},
      attachedPolicyArns: [],
      groups: [],
      permissionsBoundaryArn: null,
      tags: {},
      ...change,
    },
  };
}
