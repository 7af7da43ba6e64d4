import type { Clock } from '@azimuth/common';
import type { MetadataNodeEntry } from '@azimuth/proto';

import { LeaderTable } from './leader-table';
import type { NodeAddress } from './node-address';
import { SettingsPrecedence } from './settings-precedence';

/** Requests in flight to a node that left may still be answered for this long. */
const RETIRED_MS = 30_000;

/** Sends one request body to one node; `SessionClient` but for tests. */
export interface MetadataSession {
  call(body: Buffer, timeoutMs: number): Promise<Buffer>;
  close(): void;
}

interface Entry {
  readonly session: MetadataSession;
  /** Null for a node of the settings, until the cluster says where it is. */
  readonly address: NodeAddress | null;
}

/**
 * The sessions to the metadata nodes there are. The settings are only where it starts: nodes come
 * and go while this process runs.
 */
export class SessionTable {
  readonly leaders: LeaderTable;
  readonly #entries: Map<string, Entry>;
  readonly #open: ((address: NodeAddress) => MetadataSession) | null;
  readonly #clock: Clock;
  readonly #retired = new Map<MetadataSession, () => void>();
  readonly #precedence = new SettingsPrecedence();
  #isClosed = false;

  /** @param open null for a fixed set of sessions. */
  constructor(
    sessions: ReadonlyMap<string, MetadataSession>,
    open: ((address: NodeAddress) => MetadataSession) | null,
    clock: Clock,
  ) {
    this.#entries = new Map(
      [...sessions].map(([nodeId, session]) => [nodeId, { session, address: null }]),
    );
    this.#open = open;
    this.#clock = clock;
    this.leaders = new LeaderTable([...sessions.keys()]);
  }

  get size(): number {
    return this.#entries.size;
  }

  get(nodeId: string): MetadataSession | undefined {
    return this.#entries.get(nodeId)?.session;
  }

  all(): MetadataSession[] {
    return Array.from(this.#entries.values(), ({ session }) => session);
  }

  /** Each with the node that it leads to. */
  byNode(): (readonly [nodeId: string, session: MetadataSession])[] {
    return Array.from(this.#entries, ([nodeId, { session }]) => [nodeId, session] as const);
  }

  /** Takes over who the metadata nodes are; one that only joins answers nothing yet. */
  follow(nodes: readonly MetadataNodeEntry[] | undefined): void {
    const present = (nodes ?? []).filter(({ state }) => state !== 'joining');
    if (present.length === 0) return;
    for (const node of present) {
      const isOfSettings = this.#entries.get(node.nodeId)?.address === null;
      if (!isOfSettings || !this.#precedence.isOlderThanSettings(node)) this.learn(node);
    }
    const names = new Set(present.map(({ nodeId }) => nodeId));
    for (const [nodeId, { session }] of this.#entries) {
      if (names.has(nodeId) || this.#open === null) continue;
      this.#entries.delete(nodeId);
      this.#retire(session);
    }
    this.leaders.setNodes([...this.#entries.keys()]);
  }

  /** A node is at an address; false when it cannot be reached there by this table. */
  learn({ nodeId, host, port }: NodeAddress): boolean {
    const known = this.#entries.get(nodeId);
    const isSame = known?.address?.host === host && known.address.port === port;
    if (isSame || this.#isClosed) return known !== undefined;
    if (this.#open === null) return known !== undefined;
    if (known !== undefined) this.#retire(known.session);
    const address = { nodeId, host, port };
    this.#entries.set(nodeId, { session: this.#open(address), address });
    this.leaders.setNodes([...this.#entries.keys()]);
    return true;
  }

  close(): void {
    this.#isClosed = true;
    for (const session of this.all()) session.close();
    for (const [session, cancel] of this.#retired) {
      cancel();
      session.close();
    }
    this.#retired.clear();
  }

  #retire(session: MetadataSession): void {
    const cancel = this.#clock.schedule(RETIRED_MS, () => {
      this.#retired.delete(session);
      session.close();
    });
    this.#retired.set(session, cancel);
  }
}
