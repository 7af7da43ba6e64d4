import { createHmac, timingSafeEqual } from 'node:crypto';

import type { Clock, Random } from '@azimuth/common';
import { StoreError } from '@azimuth/common';
import type { PeerIdentity, Role } from '@azimuth/rpc';

/** What `IssueSession` answers. The key is secret: it travels over mutual TLS only. */
export interface IssuedSession {
  readonly sessionId: string;
  readonly key: Buffer;
  readonly expiresMs: number;
  readonly generation: string;
  readonly issuedMs: number;
}

/** What of a request its MAC covers, and the MAC. Header values as received. */
export interface SignedShardRequest {
  readonly method: string;
  readonly target: string;
  readonly contentLength: string;
  readonly sessionId: string;
  readonly expires: string;
  readonly mac: string;
}

const SESSION_VALID_MS = 10 * 60_000;
const SESSIONS_MAX = 1024;
const KEY_BYTES = 32;
const MAC_HEX_LENGTH = 64;
/** A request's expiry is by what its sender knows of our clock. */
const CLOCK_SKEW_MAX_MS = 60_000;

interface Session {
  readonly key: Buffer;
  readonly expiresMs: number;
  readonly role: Role;
}

/**
 * The session keys that this process issued (bulk mode `crc`). They live in memory and end with the
 * process: requests name its incarnation, so one recorded earlier is worth nothing after a restart.
 */
export class BulkSessions {
  readonly #generation: string;
  readonly #clock: Clock;
  readonly #random: Random;
  /** Oldest first. */
  readonly #sessions = new Map<string, Session>();

  constructor(generation: string, clock: Clock, random: Random) {
    this.#generation = generation;
    this.#clock = clock;
    this.#random = random;
  }

  /** A new key for a peer whose role the RPC server has checked. */
  issue({ role }: PeerIdentity): IssuedSession {
    this.#forgetOld();
    const sessionId = this.#random.bytes(16).toString('hex');
    const key = this.#random.bytes(KEY_BYTES);
    const issuedMs = Math.floor(this.#clock.wallMs());
    const expiresMs = issuedMs + SESSION_VALID_MS;
    this.#sessions.set(sessionId, { key, expiresMs, role });
    return { sessionId, key, expiresMs, generation: this.#generation, issuedMs };
  }

  /**
   * The role that the session was issued to.
   *
   * @throws StoreError UNAUTHENTICATED, without saying what exactly is wrong.
   */
  verify(request: SignedShardRequest): Role {
    const session = this.#sessions.get(request.sessionId);
    const nowMs = this.#clock.wallMs();
    const expiresMs = /^[0-9]{1,16}$/.test(request.expires) ? Number(request.expires) : 0;
    const isInTime =
      session !== undefined &&
      nowMs < session.expiresMs &&
      expiresMs <= session.expiresMs &&
      nowMs < expiresMs + CLOCK_SKEW_MAX_MS;
    if (!isInTime || !isMacOf(request, session.key, this.#generation)) {
      throw new StoreError('UNAUTHENTICATED');
    }
    return session.role;
  }

  #forgetOld(): void {
    const nowMs = this.#clock.wallMs();
    for (const [sessionId, session] of this.#sessions) {
      if (session.expiresMs > nowMs && this.#sessions.size < SESSIONS_MAX) return;
      this.#sessions.delete(sessionId);
    }
  }
}

function isMacOf(request: SignedShardRequest, key: Buffer, generation: string): boolean {
  const { method, target, contentLength, expires, mac } = request;
  const expected = createHmac('sha256', key)
    .update(`${method}\n${target}\n${contentLength}\n${generation}\n${expires}`)
    .digest();
  // Unequal lengths make `timingSafeEqual` throw, and hex decoding stops at the first bad digit.
  if (mac.length !== MAC_HEX_LENGTH) return false;
  const given = Buffer.from(mac, 'hex');
  return given.byteLength === expected.byteLength && timingSafeEqual(given, expected);
}
