import type { Clock } from '@azimuth/common';

import { KeysInUse } from './keys-in-use';
import { ObjectRequests } from './object-requests';
import type { S3Session } from './s3-session';
import { VersionRequests } from './version-requests';
import type { RequestContext } from './workload-request';

export type RequestKind = 'read' | 'write';

export interface RequestFailure {
  readonly kind: RequestKind;
  readonly atMs: number;
  readonly reason: string;
}

export interface WorkloadOptions extends RequestContext {
  readonly sessions: readonly S3Session[];
}

/** They grow with the clients, so that each key has few of them at a time. */
const KEYS_PER_CLIENT = 2;
const VERSIONED_KEYS_PER_CLIENT = 1;
const KEY_LIMITS = { operationsMax: 1_000, unansweredWritesMax: 6 };
/** All versions are the state of a key, so that it must not have too many. */
const VERSIONED_KEY_LIMITS = { operationsMax: 300, unansweredWritesMax: 4 };
const PAUSE_AFTER_FAILURE_MS = 50;

type Action = (session: S3Session) => Promise<void>;

/** How often of a hundred, and whether it counts as read or write. */
type Share = readonly [percent: number, kind: RequestKind, action: Action];

/**
 * Clients that share a few keys and write, read, copy, delete and list them without a pause, with
 * and without conditions, whole and in parts, with and without versions. What they asked and were
 * told goes into the history.
 */
export class Workload {
  readonly failures: RequestFailure[] = [];
  readonly counts = { read: 0, write: 0 };
  readonly #options: WorkloadOptions;
  readonly #objects: ObjectRequests;
  readonly #versions: VersionRequests;
  readonly #shares: readonly Share[];
  #isRunning = false;
  #clients: Promise<void>[] = [];

  constructor(options: WorkloadOptions) {
    this.#options = options;
    this.#objects = new ObjectRequests(options);
    this.#versions = new VersionRequests(options);
    this.#shares = this.#makeShares();
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
    const { history } = this.#options;
    for (const key of history.keys) await this.#objects.get(session, key, 'GET');
    for (const key of history.versionedKeys) await this.#versions.get(session, key);
  }

  #makeShares(): Share[] {
    const { random, sessions } = this.#options;
    const count = sessions.length * KEYS_PER_CLIENT;
    const keys = new KeysInUse('key', count, KEY_LIMITS, random);
    const versionedCount = sessions.length * VERSIONED_KEYS_PER_CLIENT;
    const versioned = new KeysInUse('version', versionedCount, VERSIONED_KEY_LIMITS, random);
    const [objects, versions] = [this.#objects, this.#versions];
    const rival = (): S3Session | null =>
      random.next() < 0.5 ? (sessions[random.below(sessions.length)] ?? null) : null;
    return [
      [22, 'write', (session) => keys.use((key) => objects.put(session, key))],
      [2, 'write', (session) => keys.use((a) => keys.use((b) => objects.copy(session, a, b)))],
      [2, 'write', (session) => keys.use((key) => objects.putInParts(session, key, rival()))],
      [7, 'write', (session) => keys.use((key) => objects.delete(session, key))],
      [24, 'read', (session) => keys.use((key) => objects.get(session, key.name, 'GET', key))],
      [18, 'read', (session) => keys.use((key) => objects.get(session, key.name, 'HEAD', key))],
      [3, 'read', (session) => objects.list(session)],
      [5, 'write', (session) => versioned.use((key) => versions.put(session, key))],
      [3, 'write', (session) => versioned.use((key) => versions.delete(session, key))],
      [2, 'write', (session) => versioned.use((key) => versions.deleteVersion(session, key))],
      [6, 'read', (session) => versioned.use((key) => versions.get(session, key.name, key))],
      [6, 'read', (session) => versioned.use((key) => versions.getVersion(session, key))],
    ];
  }

  async #runClient(session: S3Session): Promise<void> {
    const { clock } = this.#options;
    while (this.#isRunning) {
      const [, kind, action] = this.#choose();
      try {
        await action(session);
        this.counts[kind] += 1;
      } catch (error) {
        this.#note(kind, error, clock);
        await clock.sleep(PAUSE_AFTER_FAILURE_MS);
      }
    }
  }

  #note(kind: RequestKind, error: unknown, clock: Clock): void {
    const reason = error instanceof Error ? error.message : String(error);
    this.failures.push({ kind, atMs: clock.monotonicMs(), reason });
  }

  #choose(): Share {
    let dice = this.#options.random.next() * 100;
    for (const share of this.#shares) {
      dice -= share[0];
      if (dice < 0) return share;
    }
    return this.#shares[0] as Share;
  }
}
