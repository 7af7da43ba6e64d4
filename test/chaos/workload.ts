import { createHash } from 'node:crypto';

import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  S3ServiceException,
} from '@aws-sdk/client-s3';
import type { Random } from '@azimuth/common';
import { seededRandom } from '@azimuth/common';

export interface Endpoint {
  readonly endpoint: string;
  readonly accessKey: string;
  readonly secretKey: string;
}

/** A client that never retries: a failure is seen as a failure. */
export function makeClient(at: Endpoint, maxAttempts = 1): S3Client {
  return new S3Client({
    endpoint: at.endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    maxAttempts,
    credentials: { accessKeyId: at.accessKey, secretAccessKey: at.secretKey },
    requestHandler: { connectionTimeout: 2_000, requestTimeout: 30_000 },
  });
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

type Kind = 'read' | 'write';

interface Failure {
  readonly kind: Kind;
  readonly atMs: number;
  readonly reason: string;
}

/**
 * What a key may hold: exactly one acknowledged state, or one of several once a write's outcome is
 * unknown. `null` is "absent". A write whose outcome is unknown may still land at any later time,
 * so its key is never written again: the client goes on with a fresh one.
 */
type Expected = Set<string | null>;

const SIZES = [1, 700, 8_192, 20_000, 131_072, 200_000, 1_048_577, 3_000_000];
const KEYS_PER_CLIENT = 12;

/**
 * Clients that each own a few keys and write, read, delete and list them without a pause, keeping
 * what every acknowledgement promised. A read that contradicts it is a violation at once; at the
 * end `verify` reads everything back.
 */
export class Workload {
  readonly violations: string[] = [];
  readonly failures: Failure[] = [];
  readonly counts = { read: 0, write: 0 };
  readonly #at: Endpoint;
  readonly #bucket: string;
  readonly #seed: number;
  readonly #expected = new Map<string, Expected>();
  #isRunning = false;
  #clients: Promise<void>[] = [];

  constructor(at: Endpoint, bucket: string, seed: number) {
    this.#at = at;
    this.#bucket = bucket;
    this.#seed = seed;
  }

  start(clientCount: number): void {
    this.#isRunning = true;
    this.#clients = Array.from({ length: clientCount }, (_, index) => this.#run(index));
  }

  async stop(): Promise<void> {
    this.#isRunning = false;
    await Promise.all(this.#clients);
  }

  /** Milliseconds from `sinceMs` to the last failure of this kind; 0 when none failed. */
  errorWindowMs(kind: Kind, sinceMs: number): number {
    const later = this.failures.filter((f) => f.kind === kind && f.atMs >= sinceMs);
    return later.length === 0 ? 0 : Math.max(...later.map((f) => f.atMs)) - sinceMs;
  }

  /** Reads every key back, with retries, and compares; returns how many keys were checked. */
  async verify(at: Endpoint = this.#at): Promise<number> {
    const client = makeClient(at, 8);
    for (const key of this.#expected.keys()) await this.#read(client, key);
    client.destroy();
    return this.#expected.size;
  }

  async #run(index: number): Promise<void> {
    const random = seededRandom(this.#seed + index);
    const client = makeClient(this.#at);
    const generations = new Array<number>(KEYS_PER_CLIENT).fill(0);
    while (this.#isRunning) {
      const slot = random.below(KEYS_PER_CLIENT);
      const key = `${this.#prefix(index)}key-${slot}-${generations[slot]}`;
      const dice = random.next();
      const kind: Kind = dice < 0.45 ? 'write' : 'read';
      try {
        if (dice < 0.38) await this.#put(client, key, random);
        else if (dice < 0.45) await this.#delete(client, key);
        else if (dice < 0.85) await this.#read(client, key);
        else if (dice < 0.95) await this.#head(client, key);
        else await this.#list(client, index);
        this.counts[kind] += 1;
      } catch (error) {
        this.failures.push({ kind, atMs: performance.now(), reason: describe(error) });
        if (kind === 'write') generations[slot] = (generations[slot] ?? 0) + 1;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
    client.destroy();
  }

  /** Each client has keys of its own; workloads of different seeds share nothing. */
  #prefix(index: number): string {
    return `run-${this.#seed}/client-${index}/`;
  }

  #states(key: string): Expected {
    const states = this.#expected.get(key) ?? new Set<string | null>([null]);
    this.#expected.set(key, states);
    return states;
  }

  async #put(client: S3Client, key: string, random: Random): Promise<void> {
    const body = makeBody(random);
    const digest = sha256(body);
    // Until the answer comes, both the old and the new state are possible.
    this.#states(key).add(digest);
    await client.send(new PutObjectCommand({ Bucket: this.#bucket, Key: key, Body: body }));
    this.#expected.set(key, new Set([digest]));
  }

  async #delete(client: S3Client, key: string): Promise<void> {
    this.#states(key).add(null);
    await client.send(new DeleteObjectCommand({ Bucket: this.#bucket, Key: key }));
    this.#expected.set(key, new Set([null]));
  }

  async #read(client: S3Client, key: string): Promise<void> {
    this.#check(key, await this.#get(client, key));
  }

  async #get(client: S3Client, key: string): Promise<string | null> {
    try {
      const answer = await client.send(new GetObjectCommand({ Bucket: this.#bucket, Key: key }));
      return sha256((await answer.Body?.transformToByteArray()) ?? new Uint8Array());
    } catch (error) {
      if (isNotFound(error)) return null;
      throw error;
    }
  }

  async #head(client: S3Client, key: string): Promise<void> {
    const command = new HeadObjectCommand({ Bucket: this.#bucket, Key: key });
    const isPresent = await client.send(command).then(
      () => true,
      (error: unknown) => {
        if (isNotFound(error)) return false;
        throw error;
      },
    );
    const states = [...this.#states(key)];
    if (states.some((state) => (state !== null) === isPresent)) return;
    this.violations.push(`HEAD ${key}: present=${isPresent}, expected ${states.join(' or ')}`);
  }

  async #list(client: S3Client, index: number): Promise<void> {
    const prefix = this.#prefix(index);
    const answer = await client.send(
      new ListObjectsV2Command({ Bucket: this.#bucket, Prefix: prefix }),
    );
    const listed = new Set((answer.Contents ?? []).map((entry) => entry.Key));
    for (const [key, states] of this.#expected) {
      if (!key.startsWith(prefix)) continue;
      if (!states.has(null) && !listed.has(key)) this.violations.push(`LIST lost ${key}`);
      if (states.size === 1 && states.has(null) && listed.has(key)) {
        this.violations.push(`LIST shows deleted ${key}`);
      }
    }
  }

  #check(key: string, found: string | null): void {
    const states = this.#states(key);
    if (states.has(found)) return;
    this.violations.push(`GET ${key}: ${found ?? 'absent'}, expected ${[...states].join(' or ')}`);
  }
}

function makeBody(random: Random): Buffer {
  const sizeBytes = SIZES[random.below(SIZES.length)] ?? 1;
  const seed = random.bytes(Math.min(sizeBytes, 64));
  const body = Buffer.alloc(sizeBytes, seed);
  body.writeUInt8(random.below(256), random.below(sizeBytes));
  return body;
}

function isNotFound(error: unknown): boolean {
  return error instanceof S3ServiceException && error.$metadata.httpStatusCode === 404;
}

function describe(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}
