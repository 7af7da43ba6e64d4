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
}

export type SessionIssuer = (node: StorageNodeEntry) => Promise<BulkSessionKey>;

const ISSUE_TIMEOUT_MS = 3_000;
/** A new key is fetched while the old one is still good for this long. */
const RENEW_BEFORE_MS = 60_000;
/** Below this the old key is used no more: the node's clock may be ahead. */
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
  current: BulkSessionKey | null;
  /** One request at a time, however many shards wait for it. */
  renewal: Promise<BulkSessionKey> | null;
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
  sessionOf(node: StorageNodeEntry): BulkSessionKey | Promise<BulkSessionKey> {
    let session = this.#nodes.get(node.nodeId);
    if (session?.incarnation !== node.incarnation) {
      session = { incarnation: node.incarnation, current: null, renewal: null };
      this.#nodes.set(node.nodeId, session);
    }
    const leftMs = (session.current?.expiresMs ?? 0) - this.#clock.wallMs();
    if (session.current !== null && leftMs > RENEW_BEFORE_MS) return session.current;
    const renewal = this.#renew(session, node);
    if (session.current === null || leftMs <= USABLE_BEFORE_MS) return renewal;
    renewal.catch(() => undefined);
    return session.current;
  }

  /** The node refused the key: the next request asks for another one. */
  forget(node: StorageNodeEntry): void {
    this.#nodes.delete(node.nodeId);
  }

  #renew(session: NodeSession, node: StorageNodeEntry): Promise<BulkSessionKey> {
    session.renewal ??= this.#issue(node).then(
      (key) => {
        session.renewal = null;
        session.current = key;
        return key;
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
  session: BulkSessionKey,
  request: SignedRequest,
  nowMs: number,
): string {
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
