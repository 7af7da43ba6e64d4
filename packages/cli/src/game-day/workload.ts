import { createHash } from 'node:crypto';

import type { Clock, Random } from '@azimuth/common';

import type { History } from './history';
import type { ObjectInput, ObjectOutput } from './object-model';
import type { S3Answer, S3Call, S3Session } from './s3-session';

export type RequestKind = 'read' | 'write';

export interface RequestFailure {
  readonly kind: RequestKind;
  readonly atMs: number;
  readonly reason: string;
}

export interface WorkloadOptions {
  readonly bucket: string;
  readonly sessions: readonly S3Session[];
  readonly history: History;
  readonly clock: Clock;
  readonly random: Random;
}

/** So many operations on a key, or unanswered writes, and its check would take too long. */
const OPERATIONS_OF_KEY_MAX = 1_000;
const UNANSWERED_WRITES_OF_KEY_MAX = 6;
const KEYS_IN_USE = 24;
const SIZES_BYTES = [1, 700, 8_192, 20_000, 131_073, 400_000, 1_500_000];
const LIST_KEYS_MAX = 1_000;
const PAUSE_AFTER_FAILURE_MS = 50;

interface KeyInUse {
  readonly name: string;
  operations: number;
  unansweredWrites: number;
  /** What the clients saw last, for conditions that have a chance. */
  lastEtag: string | null;
}

/**
 * Clients that share a few keys and write, read, delete and list them without a pause, with and
 * without conditions, whole and in parts. What they asked and were told goes into the history.
 */
export class Workload {
  readonly failures: RequestFailure[] = [];
  readonly counts = { read: 0, write: 0 };
  readonly #options: WorkloadOptions;
  readonly #keys: KeyInUse[];
  #keyCount = 0;
  #writeCount = 0;
  #isRunning = false;
  #clients: Promise<void>[] = [];

  constructor(options: WorkloadOptions) {
    this.#options = options;
    this.#keys = Array.from({ length: KEYS_IN_USE }, () => this.#newKey());
  }

  start(): void {
    this.#isRunning = true;
    this.#clients = this.#options.sessions.map((session) => this.#runClient(session));
  }

  async stop(): Promise<void> {
    this.#isRunning = false;
    await Promise.all(this.#clients);
  }

  /** Reads every key once more; the answers are part of the history. Throws when one has none. */
  async readAll(session: S3Session): Promise<void> {
    for (const key of this.#options.history.keys) await this.#get(session, key, 'GET');
  }

  async #runClient(session: S3Session): Promise<void> {
    const { clock, random } = this.#options;
    while (this.#isRunning) {
      const dice = random.next();
      const kind: RequestKind = dice < 0.46 ? 'write' : 'read';
      try {
        await this.#step(session, dice);
        this.counts[kind] += 1;
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        this.failures.push({ kind, atMs: clock.monotonicMs(), reason });
        await clock.sleep(PAUSE_AFTER_FAILURE_MS);
      }
    }
  }

  #step(session: S3Session, dice: number): Promise<void> {
    const key = this.#pickKey();
    if (dice < 0.36) return this.#put(session, key);
    if (dice < 0.38) return this.#putInParts(session, key);
    if (dice < 0.46) return this.#delete(session, key);
    if (dice < 0.82) return this.#get(session, key.name, 'GET', key);
    if (dice < 0.95) return this.#get(session, key.name, 'HEAD', key);
    return this.#list(session);
  }

  #newKey(): KeyInUse {
    this.#keyCount += 1;
    const name = `key-${String(this.#keyCount).padStart(6, '0')}`;
    return { name, operations: 0, unansweredWrites: 0, lastEtag: null };
  }

  #pickKey(): KeyInUse {
    const slot = this.#options.random.below(KEYS_IN_USE);
    const key = this.#usable(this.#keys[slot]) ?? this.#newKey();
    this.#keys[slot] = key;
    key.operations += 1;
    return key;
  }

  #usable(key: KeyInUse | undefined): KeyInUse | null {
    const isFresh =
      key !== undefined &&
      key.operations < OPERATIONS_OF_KEY_MAX &&
      key.unansweredWrites < UNANSWERED_WRITES_OF_KEY_MAX;
    return isFresh ? key : null;
  }

  async #put(session: S3Session, key: KeyInUse): Promise<void> {
    const { random } = this.#options;
    const body = this.#newBody();
    const condition = random.next();
    const onlyIfAbsent = condition < 0.15;
    const ifMatch = condition > 0.8 ? key.lastEtag : null;
    const headers = {
      ...(onlyIfAbsent ? { 'if-none-match': '*' } : {}),
      ...(ifMatch === null ? {} : { 'if-match': `"${ifMatch}"` }),
    };
    const etag = md5(body).toString('hex');
    const call: S3Call = { method: 'PUT', path: this.#path(key.name), headers, body };
    await this.#write(session, key, { kind: 'put', etag, onlyIfAbsent, ifMatch }, call);
  }

  /** One part is enough to go through every step of a multipart upload. */
  async #putInParts(session: S3Session, key: KeyInUse): Promise<void> {
    const path = this.#path(key.name);
    const body = this.#newBody();
    const created = expectStatus(await session.send({ method: 'POST', path, query: 'uploads=' }));
    const uploadId = /<UploadId>([^<]+)</.exec(created.body.toString())?.[1] ?? '';
    const upload = `uploadId=${encodeURIComponent(uploadId)}`;
    expectStatus(
      await session.send({ method: 'PUT', path, query: `partNumber=1&${upload}`, body }),
    );
    const partEtag = md5(body);
    const document =
      '<CompleteMultipartUpload><Part><PartNumber>1</PartNumber>' +
      `<ETag>"${partEtag.toString('hex')}"</ETag></Part></CompleteMultipartUpload>`;
    const etag = `${md5(partEtag).toString('hex')}-1`;
    const input = { kind: 'put', etag, onlyIfAbsent: false, ifMatch: null } as const;
    const call = { method: 'POST', path, query: upload, body: Buffer.from(document) } as const;
    await this.#write(session, key, input, call);
  }

  async #delete(session: S3Session, key: KeyInUse): Promise<void> {
    const ifMatch = this.#options.random.next() < 0.3 ? key.lastEtag : null;
    const headers: Record<string, string> = ifMatch === null ? {} : { 'if-match': `"${ifMatch}"` };
    const call: S3Call = { method: 'DELETE', path: this.#path(key.name), headers };
    await this.#write(session, key, { kind: 'delete', ifMatch }, call);
  }

  /** Sends a write and records its outcome: done, refused by its condition, or unknown. */
  async #write(session: S3Session, key: KeyInUse, input: ObjectInput, call: S3Call): Promise<void> {
    const { history, clock } = this.#options;
    const calledAt = clock.monotonicMs();
    const record = (output: ObjectOutput | null): void =>
      history.record(key.name, { input, output, calledAt, returnedAt: clock.monotonicMs() });
    let answer: S3Answer;
    try {
      answer = await session.send(call);
    } catch (error) {
      key.unansweredWrites += 1;
      record(null);
      throw error;
    }
    const { status } = answer;
    if (status >= 200 && status < 300 && !answer.body.includes('<Error>')) {
      record({ kind: 'done' });
      if (input.kind === 'put') key.lastEtag = input.etag;
    } else if (status === 409) {
      // C-7: lost a race against another write, and changed nothing.
      return;
    } else if (status === 412 || (status === 404 && input.kind !== 'get')) {
      record({ kind: 'refused' });
    } else {
      // Even a 503 may come after the commit: its answer was lost on the way to the gateway.
      key.unansweredWrites += 1;
      record(null);
      throw new Error(describe(answer));
    }
  }

  async #get(
    session: S3Session,
    name: string,
    method: 'GET' | 'HEAD',
    key?: KeyInUse,
  ): Promise<void> {
    const { history, clock } = this.#options;
    const calledAt = clock.monotonicMs();
    const answer = await session.send({ method, path: this.#path(name) });
    const { status, headers, body } = answer;
    if (status !== 200 && status !== 404) throw new Error(describe(answer));
    const etag = status === 404 ? null : String(headers['etag']).replaceAll('"', '');
    const returnedAt = clock.monotonicMs();
    const output = { kind: 'found', etag } as const;
    history.record(name, { input: { kind: 'get' }, output, calledAt, returnedAt });
    if (etag === null) return;
    if (key !== undefined) key.lastEtag = etag;
    if (method === 'GET' && !hasEtag(body, etag)) {
      history.violations.push(`${name}: ${body.length} bytes that do not match ETag ${etag}`);
    }
  }

  async #list(session: S3Session): Promise<void> {
    const { history, clock, bucket } = this.#options;
    const calledAt = clock.monotonicMs();
    const query = `list-type=2&max-keys=${LIST_KEYS_MAX}`;
    const answer = expectStatus(await session.send({ method: 'GET', path: `/${bucket}`, query }));
    const returnedAt = clock.monotonicMs();
    const text = answer.body.toString();
    const keys = [...text.matchAll(/<Key>([^<]+)<\/Key>/g)].map((match) => match[1] ?? '');
    const isTruncated = text.includes('<IsTruncated>true<');
    const lastKey = isTruncated ? (keys.at(-1) ?? '') : null;
    history.recordList({ keys: new Set(keys), lastKey, calledAt, returnedAt });
  }

  /** Bytes that no other write of this run has, so that their MD5 names the write. */
  #newBody(): Buffer {
    const { random } = this.#options;
    this.#writeCount += 1;
    const sizeBytes = SIZES_BYTES[random.below(SIZES_BYTES.length)] ?? 1;
    const token = createHash('sha256').update(`${this.#writeCount}/`).update(random.bytes(8));
    return Buffer.alloc(Math.max(sizeBytes, 32), token.digest());
  }

  #path(key: string): string {
    return `/${this.#options.bucket}/${key}`;
  }
}

function expectStatus(answer: S3Answer): S3Answer {
  if (answer.status !== 200) throw new Error(describe(answer));
  return answer;
}

function describe({ status, body }: S3Answer): string {
  const code = /<Code>([^<]+)</.exec(body.toString('utf8', 0, 1_000))?.[1] ?? '';
  return `${status} ${code}`.trim();
}

/** The ETag of a body, or of an object of one part with that body. */
function hasEtag(body: Buffer, etag: string): boolean {
  const digest = md5(body);
  return etag.endsWith('-1')
    ? etag === `${md5(digest).toString('hex')}-1`
    : etag === digest.toString('hex');
}

function md5(bytes: Buffer): Buffer {
  return createHash('md5').update(bytes).digest();
}
