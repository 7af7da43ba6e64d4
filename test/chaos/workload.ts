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

import { pause } from './eventually';

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

/** What one client tried in vain, again and again; a last success ends it. */
interface Outage {
  readonly kind: Kind;
  readonly slot: number;
  /** Which request. */
  readonly dice: number;
  readonly fromMs: number;
  toMs: number;
  attempts: number;
  reason: string;
}

/** P3: for so long a client may have to try again after a failure of a node or a zone. */
const OUTAGE_MS_MAX: Readonly<Record<Kind, number>> = { read: 5_000, write: 10_000 };
/** The cluster notices within this time that a node is gone, and changes what it does. */
const NOTICE_MS = 6_000;
const QUIET_MS = 2_500;
const POLL_MS = 100;

/**
 * What a key may hold: exactly one acknowledged state, or one of several once a write's outcome is
 * unknown. `null` is "absent". A write whose outcome is unknown may still land at any later time,
 * so its key is never written again: the client goes on with a fresh one.
 */
type Expected = Set<string | null>;

const SIZES = [1, 700, 8_192, 20_000, 131_072, 200_000, 1_048_577, 3_000_000];
const KEYS_PER_CLIENT = 12;
const READERS = 4;
const WRITES_BELOW = 0.45;

/**
 * Clients that each own a few keys and write, read, delete and list them without a pause, keeping
 * what every acknowledgement promised. After a failure a client sends the same request again until
 * it succeeds, a write under a fresh key. A read that contradicts a promise is a violation at once;
 * at the end `verify` reads everything back.
 */
export class Workload {
  readonly violations: string[] = [];
  readonly failures: Failure[] = [];
  readonly #outages: Outage[] = [];
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

  /** Resolves when `operations` more reads, and as many more writes, have succeeded. */
  async advance(operations: number, timeoutMs = 60_000): Promise<void> {
    const { read, write } = this.counts;
    const isThere = (): boolean =>
      Math.min(this.counts.read - read, this.counts.write - write) >= operations;
    const deadlineMs = performance.now() + timeoutMs;
    while (!isThere()) {
      if (performance.now() > deadlineMs) {
        const last = this.failures.at(-1)?.reason;
        throw new Error(
          `no ${operations} reads and writes in ${timeoutMs} ms; last failure: ${last}`,
        );
      }
      await pause(POLL_MS);
    }
  }

  /** Resolves when what happened at `sinceMs` has been noticed, and nothing has failed for long. */
  async recover(sinceMs: number): Promise<void> {
    const deadlineMs = sinceMs + 2 * (OUTAGE_MS_MAX.read + OUTAGE_MS_MAX.write);
    const isQuiet = (): boolean => {
      const lastMs = this.failures.at(-1)?.atMs ?? 0;
      return performance.now() - Math.max(sinceMs + NOTICE_MS - QUIET_MS, lastMs) >= QUIET_MS;
    };
    while (!isQuiet() && performance.now() < deadlineMs) await pause(POLL_MS);
    await this.advance(10);
  }

  /** What a client had to try for longer than P3 allows since `sinceMs`, in words. */
  outagesBeyondPromise(sinceMs: number): string[] {
    return this.#outages
      .map((outage) => ({ ...outage, ms: outage.toMs - Math.max(sinceMs, outage.fromMs) }))
      .filter(({ kind, ms }) => ms > OUTAGE_MS_MAX[kind])
      .map(({ kind, ms, attempts, reason }) => {
        return `${kind} for ${Math.round(ms)} ms, ${attempts} attempts: ${reason}`;
      });
  }

  /** How often at most a client sent one request in vain; unlike a time, no matter of the load. */
  attemptsInVain(kind: Kind): number {
    const counts = this.#outages.filter((each) => each.kind === kind).map((each) => each.attempts);
    return Math.max(0, ...counts);
  }

  /** Reads every key back, with retries, and compares; returns how many keys were checked. */
  async verify(at: Endpoint = this.#at): Promise<number> {
    const client = makeClient(at, 8);
    const keys = this.#expected.keys();
    const readOn = async (): Promise<void> => {
      for (const key of keys) await this.#read(client, key);
    };
    await Promise.all(Array.from({ length: READERS }, readOn));
    client.destroy();
    return this.#expected.size;
  }

  async #run(index: number): Promise<void> {
    const random = seededRandom(this.#seed + index);
    const client = makeClient(this.#at);
    const generations = new Array<number>(KEYS_PER_CLIENT).fill(0);
    let outage: Outage | null = null;
    while (this.#isRunning) {
      const slot = outage?.slot ?? random.below(KEYS_PER_CLIENT);
      const key = `${this.#prefix(index)}key-${slot}-${generations[slot]}`;
      const startedMs = performance.now();
      const dice = outage?.dice ?? random.next();
      const kind: Kind = dice < WRITES_BELOW ? 'write' : 'read';
      try {
        if (dice < 0.38) await this.#put(client, key, random);
        else if (dice < WRITES_BELOW) await this.#delete(client, key);
        else if (dice < 0.85) await this.#read(client, key);
        else if (dice < 0.95) await this.#head(client, key);
        else await this.#list(client, index);
        this.counts[kind] += 1;
        if (outage !== null) outage.toMs = performance.now();
        outage = null;
      } catch (error) {
        const atMs = performance.now();
        const reason = describe(error);
        this.failures.push({ kind, atMs, reason });
        outage ??= this.#beginOutage({
          ...{ kind, slot, dice, fromMs: startedMs },
          ...{ toMs: atMs, attempts: 0, reason },
        });
        outage.toMs = atMs;
        outage.attempts += 1;
        outage.reason = reason;
        if (kind === 'write') generations[slot] = (generations[slot] ?? 0) + 1;
        await pause(50);
      }
    }
    client.destroy();
  }

  #beginOutage(outage: Outage): Outage {
    this.#outages.push(outage);
    return outage;
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
