import { StoreError } from '@azimuth/common';
import type { Clock } from '@azimuth/common';

import { ShardConnection } from './shard-connection';
import type { SocketFactory } from './shard-connection';

export interface ConnectionPoolOptions {
  readonly open: SocketFactory;
  readonly clock: Clock;
  readonly connectTimeoutMs: number;
  /** Above this callers wait; each exchange has a connection of its own. */
  readonly connectionsMax: number;
  readonly waitersMax: number;
}

interface Waiter {
  readonly resolve: (connection: ShardConnection) => void;
  readonly reject: (error: StoreError) => void;
  readonly deadlineMs: number;
}

/** How long a caller waits for one of `connectionsMax` connections. */
const WAIT_TIMEOUT_MS = 5_000;

/** Kept-alive connections to one process. */
export class ConnectionPool {
  readonly #options: ConnectionPoolOptions;
  readonly #idle: ShardConnection[] = [];
  /** Every open connection, with the time it was opened. */
  readonly #open = new Map<ShardConnection, number>();
  readonly #waiters: Waiter[] = [];
  #usedMs: number;
  #isClosed = false;

  constructor(options: ConnectionPoolOptions) {
    this.#options = options;
    this.#usedMs = options.clock.monotonicMs();
  }

  /** When it was last asked for a connection; Infinity while it has some. */
  unusedSinceMs(): number {
    return this.#open.size > 0 ? Number.POSITIVE_INFINITY : this.#usedMs;
  }

  /** The most recently used idle connection, or a new one. Errors: OVERLOADED, UNAVAILABLE. */
  acquire(isFreshRequired = false): ShardConnection | Promise<ShardConnection> {
    if (this.#isClosed) throw new StoreError('UNAVAILABLE', { reason: 'client closed' });
    const nowMs = this.#options.clock.monotonicMs();
    this.#usedMs = nowMs;
    while (!isFreshRequired) {
      const connection = this.#idle.pop();
      if (connection === undefined) break;
      if (connection.isReusable(nowMs)) return connection;
      connection.destroy(new StoreError('UNAVAILABLE', { reason: 'idle for too long' }));
    }
    if (this.#open.size < this.#options.connectionsMax) return this.#connect(nowMs);
    if (this.#waiters.length >= this.#options.waitersMax) {
      throw new StoreError('OVERLOADED', { waitersMax: this.#options.waitersMax });
    }
    return new Promise((resolve, reject) => {
      this.#waiters.push({ resolve, reject, deadlineMs: nowMs + WAIT_TIMEOUT_MS });
    });
  }

  /** Gives a connection back after its exchange; a broken one has left the pool already. */
  release(connection: ShardConnection): void {
    if (!this.#open.has(connection)) return;
    const nowMs = this.#options.clock.monotonicMs();
    connection.deadlineMs = Number.POSITIVE_INFINITY;
    connection.idleSinceMs = nowMs;
    if (this.#isClosed || !connection.isReusable(nowMs)) {
      connection.destroy(new StoreError('UNAVAILABLE', { reason: 'not reusable' }));
      return;
    }
    const waiter = this.#waiters.shift();
    if (waiter === undefined) this.#idle.push(connection);
    else waiter.resolve(connection);
  }

  /** Ends connections whose peer stood still, and waits that took too long. */
  sweep(nowMs: number): void {
    for (const [connection, openedMs] of this.#open) {
      const connectDeadlineMs = openedMs + this.#options.connectTimeoutMs;
      if (!connection.isConnected && nowMs > connectDeadlineMs) {
        connection.destroy(new StoreError('TIMEOUT', { phase: 'connect' }));
      } else if (nowMs > connection.deadlineMs) {
        connection.destroy(new StoreError('TIMEOUT', { phase: 'exchange' }));
      }
    }
    while (this.#waiters[0] !== undefined && this.#waiters[0].deadlineMs < nowMs) {
      this.#waiters.shift()?.reject(new StoreError('OVERLOADED', { phase: 'connection' }));
    }
    const oldest = this.#idle[0];
    if (oldest !== undefined && !oldest.isReusable(nowMs)) {
      this.#idle.shift();
      oldest.destroy(new StoreError('UNAVAILABLE', { reason: 'idle for too long' }));
    }
  }

  /** Moves every deadline: this process itself stood still, so nobody may be blamed. */
  postpone(byMs: number): void {
    for (const [connection, openedMs] of this.#open) {
      connection.deadlineMs += byMs;
      this.#open.set(connection, openedMs + byMs);
    }
  }

  close(): void {
    this.#isClosed = true;
    const error = new StoreError('UNAVAILABLE', { reason: 'client closed' });
    for (const waiter of this.#waiters.splice(0)) waiter.reject(error);
    for (const connection of [...this.#open.keys()]) connection.destroy(error);
  }

  #connect(nowMs: number): ShardConnection {
    const connection: ShardConnection = new ShardConnection(this.#options.open, () => {
      this.#open.delete(connection);
      const index = this.#idle.indexOf(connection);
      if (index !== -1) this.#idle.splice(index, 1);
      this.#serveWaiter();
    });
    connection.idleSinceMs = nowMs;
    this.#open.set(connection, nowMs);
    return connection;
  }

  #serveWaiter(): void {
    if (this.#isClosed || this.#open.size >= this.#options.connectionsMax) return;
    const waiter = this.#waiters.shift();
    waiter?.resolve(this.#connect(this.#options.clock.monotonicMs()));
  }
}
