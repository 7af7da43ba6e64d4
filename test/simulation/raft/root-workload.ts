import type { Random } from '@azimuth/common';
import type { IdentityChange } from '@azimuth/proto';

import type { RootGroupModel } from './group-model';
import type { RootQuestion } from './question';

type NamedArgs = readonly [name: string, args: unknown];

const NAMES = ['photos', 'logs'];
const USERS = ['1/a', '1/b', '2/a'];
const CONFIGURATIONS = ['policy', 'cors'];

/** What gateways and curators do with the root group. */
export class RootWorkload {
  readonly #random: Random;
  #buckets = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  next(model: RootGroupModel): NamedArgs {
    const name = this.#oneOf(NAMES);
    const existing = model.latest.buckets.get(name);
    const isAnother = existing === undefined || this.#random.below(8) === 0;
    const bucketId = isAnother ? 'f'.repeat(32) : existing.bucketId;
    const at = { name, bucketId };
    const dice = this.#random.below(20);
    if (dice < 4) return ['CreateBucket', this.#newBucket(name)];
    if (dice < 8) {
      const document = this.#random.below(3) === 0 ? null : `"${String(this.#random.below(99))}"`;
      const configuration = this.#oneOf(CONFIGURATIONS);
      return ['SetBucketConfiguration', { ...at, configuration, document }];
    }
    if (dice < 10) return ['SetBucketVersioning', { name, versioning: this.#versioning() }];
    if (dice < 12) return ['MarkBucketDeleting', { ...at, isDeleting: true }];
    const mark = existing?.deletionMark ?? 0;
    if (dice === 12) return ['MarkBucketDeleting', { ...at, isDeleting: false, mark }];
    if (dice === 13) return ['RemoveBucket', { ...at, mark }];
    if (dice < 18) return ['CommitIdentities', this.#identities(model)];
    const holder = this.#oneOf(['x', 'y']);
    return ['AcquireLease', { name: 'curator', holder, ttlMs: 500 }];
  }

  question(): RootQuestion {
    if (this.#random.below(2) === 0) return { kind: 'identities' };
    return { kind: 'bucket', name: this.#oneOf(NAMES) };
  }

  #newBucket(name: string): object {
    this.#buckets += 1;
    const bucketId = this.#buckets.toString(16).padStart(32, '0');
    const configurations = this.#random.below(2) === 0 ? {} : { policy: '{}' };
    return { name, bucketId, owner: 'me', versioning: this.#versioning(), configurations };
  }

  /** Mostly by who has seen the last change. */
  #identities({ latest }: RootGroupModel): object {
    const isStale = this.#random.below(4) === 0;
    const expectedRevision = isStale ? this.#random.below(50) : latest.identityRevision;
    const changes = Array.from({ length: this.#random.below(3) }, () => this.#change());
    return { expectedRevision, changes };
  }

  #change(): IdentityChange {
    const keyId = this.#oneOf(USERS);
    const record = { keyId, secret: 's', createdMs: this.#random.below(99) };
    return { kind: 'token-key', name: keyId, record: this.#random.below(3) === 0 ? null : record };
  }

  #versioning(): string {
    return this.#oneOf(['unversioned', 'enabled', 'suspended']);
  }

  #oneOf<T>(choices: readonly T[]): T {
    return choices[this.#random.below(choices.length)] as T;
  }
}
