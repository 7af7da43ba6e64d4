import { createHmac } from 'node:crypto';

import { StoreError } from '@azimuth/common';
import type { Clock } from '@azimuth/common';
import type { StorageNodeEntry } from '@azimuth/placement';
import { StorageStub } from '@azimuth/proto';
import { createClient, unaryCall } from '@azimuth/rpc';
import type { TlsMaterial } from '@azimuth/rpc';

/** A key that a storage node issued for signing shard requests. Never logged. */
export interface BulkSessionKey {
  readonly sessionId: string;
  readonly key: Uint8Array;
  readonly expiresMs: number;
  readonly generation: string;
  /** The node's wall clock when it issued the key. */
  readonly issuedMs: number;
}

/** A key, and when it came by our monotonic clock. */
export interface HeldSession extends BulkSessionKey {
  readonly receivedMs: number;
}

/**
 * What the clock of the node says now. Ours may be an hour off: a node whose clock is wrong must
 * not look broken to everybody else.
 */
export function nodeTimeMs({ issuedMs, receivedMs }: HeldSession, monotonicMs: number): number {
  return Math.floor(issuedMs + monotonicMs - receivedMs);
}

export type SessionIssuer = (node: StorageNodeEntry) => Promise<BulkSessionKey>;

const ISSUE_TIMEOUT_MS = 3_000;
/** A new key is fetched while the old one is still good for this long. */
const RENEW_BEFORE_MS = 60_000;
/** Below this the old key is used no more. */
const USABLE_BEFORE_MS = 10_000;
/** A signed request is good for this long, so that a recorded one is soon worthless. */
const REQUEST_VALID_MS = 60_000;

/** Gets session keys over mutual TLS, from the node that the cluster map names and no other. */
export function rpcSessionIssuer(tls: TlsMaterial, clusterId: string): SessionIssuer {
  return async (node) => {
    const stub = createClient(StorageStub, {
      host: node.host,
      port: node.rpcPort,
      tls,
      clusterId,
      expectedRole: 'storage',
      expectedNodeId: node.nodeId,
    });
    try {
      return await unaryCall((options, done) => stub.IssueSession({}, options, done), {
        timeoutMs: ISSUE_TIMEOUT_MS,
      });
    } finally {
      stub.close();
    }
  };
}

interface NodeSession {
  readonly incarnation: string;
  current: HeldSession | null;
  /** One request at a time, however many shards wait for it. */
  renewal: Promise<HeldSession> | null;
}

/** Session keys by node, fetched once, renewed before they expire. */
export class BulkSessions {
  readonly #issue: SessionIssuer;
  readonly #clock: Clock;
  readonly #nodes = new Map<string, NodeSession>();

  constructor(issue: SessionIssuer, clock: Clock) {
    this.#issue = issue;
    this.#clock = clock;
  }

  /** The key for this incarnation of the node; at once when one is held. */
  sessionOf(node: StorageNodeEntry): HeldSession | Promise<HeldSession> {
    let session = this.#nodes.get(node.nodeId);
    if (session?.incarnation !== node.incarnation) {
      session = { incarnation: node.incarnation, current: null, renewal: null };
      this.#nodes.set(node.nodeId, session);
    }
    const { current } = session;
    if (current === null) return this.#renew(session, node);
    const leftMs = current.expiresMs - nodeTimeMs(current, this.#clock.monotonicMs());
    if (leftMs > RENEW_BEFORE_MS) return current;
    const renewal = this.#renew(session, node);
    if (leftMs <= USABLE_BEFORE_MS) return renewal;
    renewal.catch(() => undefined);
    return current;
  }

  /** The node refused the key: the next request asks for another one. */
  forget(node: StorageNodeEntry): void {
    this.#nodes.delete(node.nodeId);
  }

  #renew(session: NodeSession, node: StorageNodeEntry): Promise<HeldSession> {
    session.renewal ??= this.#issue(node).then(
      (key) => {
        const held = { ...key, receivedMs: this.#clock.monotonicMs() };
        session.renewal = null;
        session.current = held;
        return held;
      },
      (error: unknown) => {
        session.renewal = null;
        throw error instanceof StoreError ? error : new StoreError('UNAVAILABLE', {}, error);
      },
    );
    return session.renewal;
  }
}

/** What the MAC covers, so that a request cannot be turned into another one. */
export interface SignedRequest {
  readonly method: string;
  /** Path and query as sent. */
  readonly target: string;
  readonly contentLength: number;
}

/** The header lines of a signed request; see `storage-client.ts` for what is signed. */
export function sessionHeaders(
  session: HeldSession,
  request: SignedRequest,
  monotonicMs: number,
): string {
  const nowMs = nodeTimeMs(session, monotonicMs);
  const expiresMs = Math.min(session.expiresMs, nowMs + REQUEST_VALID_MS);
  const mac = createHmac('sha256', session.key)
    .update(
      `${request.method}\n${request.target}\n${request.contentLength}\n` +
        `${session.generation}\n${expiresMs}`,
    )
    .digest('hex');
  return (
    `x-azimuth-session: ${session.sessionId}\r\n` +
    `x-azimuth-expires: ${expiresMs}\r\n` +
    `x-azimuth-mac: ${mac}\r\n`
  );
}
