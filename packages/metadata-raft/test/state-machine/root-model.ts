import type {
  BucketRecord,
  IdentityEntry,
  LeaseRecord,
  RootCommandName,
  RootCommands,
} from '@azimuth/proto';

type Args<Name extends RootCommandName> = RootCommands[Name]['args'];

class Refusal extends Error {
  readonly code: string;
  constructor(code: string) {
    super(code);
    this.code = code;
  }
}

/**
 * What the root group means for clients, in plain maps: buckets, identities and leases. Nodes,
 * disks and placement groups are not part of it.
 */
export class RootModel {
  readonly buckets = new Map<string, BucketRecord>();
  /** By `kind/name`. */
  readonly identities = new Map<string, IdentityEntry>();
  readonly #leases = new Map<string, LeaseRecord>();
  identityRevision = 0;

  /** The result, or `{ code }` of the refusal. */
  apply(
    { name, args }: { readonly name: string; readonly args: unknown },
    index: number,
    nowMs: number,
  ): unknown {
    try {
      return this.#execute(name, args as never, index, nowMs);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      return { code: error.code };
    }
  }

  #execute(name: string, args: never, index: number, nowMs: number): unknown {
    switch (name) {
      case 'CreateBucket':
        return this.#createBucket(args, nowMs);
      case 'SetBucketConfiguration':
        return this.#setBucketConfiguration(args);
      case 'SetBucketVersioning':
        return this.#setBucketVersioning(args);
      case 'MarkBucketDeleting':
        return this.#markBucketDeleting(args, index, nowMs);
      case 'RemoveBucket':
        return this.#removeBucket(args);
      case 'CommitIdentities':
        return this.#commitIdentities(args, index);
      case 'AcquireLease':
        return this.#acquireLease(args, nowMs);
      default:
        throw new Error(`${name} is not part of the model`);
    }
  }

  #createBucket(args: Args<'CreateBucket'>, nowMs: number): BucketRecord {
    if (this.buckets.has(args.name)) throw new Refusal('BUCKET_EXISTS');
    const { versioning = 'unversioned', configurations = {} } = args;
    const first = { ...args, versioning, configurations };
    const bucket = { ...first, createdMs: nowMs, deletingSinceMs: null, deletionMark: 0 };
    this.buckets.set(args.name, bucket);
    return bucket;
  }

  #setBucketConfiguration(args: Args<'SetBucketConfiguration'>): null {
    const bucket = this.#bucket(args.name, args.bucketId);
    const configurations = new Map(Object.entries(bucket.configurations));
    if (args.document === null) configurations.delete(args.configuration);
    else configurations.set(args.configuration, args.document);
    const changed = { ...bucket, configurations: Object.fromEntries(configurations) };
    this.buckets.set(args.name, changed);
    return null;
  }

  #setBucketVersioning({ name, versioning }: Args<'SetBucketVersioning'>): null {
    const bucket = this.#bucket(name);
    if (versioning === 'unversioned' && bucket.versioning !== 'unversioned') {
      throw new Refusal('INVALID_ARGUMENT');
    }
    this.buckets.set(name, { ...bucket, versioning });
    return null;
  }

  #markBucketDeleting(args: Args<'MarkBucketDeleting'>, index: number, nowMs: number): unknown {
    const bucket = this.#bucket(args.name, args.bucketId);
    const isMarked = bucket.deletingSinceMs !== null;
    if (args.isDeleting && !isMarked) {
      this.buckets.set(args.name, { ...bucket, deletingSinceMs: nowMs, deletionMark: index });
      return { mark: index };
    }
    if (!args.isDeleting && isMarked && bucket.deletionMark === args.mark) {
      this.buckets.set(args.name, { ...bucket, deletingSinceMs: null });
    }
    return { mark: bucket.deletionMark };
  }

  #removeBucket({ name, bucketId, mark }: Args<'RemoveBucket'>): null {
    const bucket = this.buckets.get(name);
    if (bucket?.bucketId !== bucketId) return null;
    const isMeant = bucket.deletingSinceMs !== null && bucket.deletionMark === mark;
    if (!isMeant) throw new Refusal('INVALID_ARGUMENT');
    this.buckets.delete(name);
    return null;
  }

  #commitIdentities(args: Args<'CommitIdentities'>, index: number): unknown {
    if (args.expectedRevision !== this.identityRevision) throw new Refusal('PRECONDITION_FAILED');
    for (const { kind, name, record } of args.changes) {
      if (record === null) this.identities.delete(`${kind}/${name}`);
      else this.identities.set(`${kind}/${name}`, { kind, name, record });
    }
    if (args.changes.length > 0) this.identityRevision = index;
    return { revision: this.identityRevision };
  }

  #acquireLease({ name, holder, ttlMs }: Args<'AcquireLease'>, nowMs: number): LeaseRecord {
    const current = this.#leases.get(name);
    const isMine = current?.holder === holder;
    if (current !== undefined && !isMine && current.expiresMs > nowMs) return current;
    const epoch = (current?.epoch ?? 0) + (isMine ? 0 : 1);
    const lease = { name, holder, epoch, expiresMs: nowMs + ttlMs };
    this.#leases.set(name, lease);
    return lease;
  }

  #bucket(name: string, bucketId?: string): BucketRecord {
    const bucket = this.buckets.get(name);
    const isMeant = bucketId === undefined || bucket?.bucketId === bucketId;
    if (bucket === undefined || !isMeant) throw new Refusal('BUCKET_NOT_FOUND');
    return bucket;
  }
}
