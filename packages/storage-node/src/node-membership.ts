import type { MetadataClient } from '@azimuth/clients';
import type { Clock, Logger } from '@azimuth/common';
import type { StorageNodeEntry } from '@azimuth/placement';

import type { ShardStore } from './store/shard-store';

export interface NodeMembershipOptions {
  readonly metadata: Pick<MetadataClient, 'root' | 'heartbeat'>;
  readonly node: Omit<StorageNodeEntry, 'state'>;
  readonly stores: readonly ShardStore[];
  readonly clock: Clock;
  readonly logger: Logger;
}

const HEARTBEAT_INTERVAL_MS = 1000;
/** A node that just started is of no use before it is registered. */
const REGISTER_INTERVAL_MS = 250;
/** Below the 3 s after which the root leader calls a silent node down. */
const HEARTBEAT_TIMEOUT_MS = 2000;
const REGISTER_TIMEOUT_MS = 5000;

/**
 * Tells the root leader that this node lives and how its disks are, every second. Registers first,
 * and again whenever the leader does not know this incarnation.
 */
export class NodeMembership {
  readonly #options: NodeMembershipOptions;
  readonly #stop = new AbortController();
  #running: Promise<void> | null = null;
  #isRegistered = false;
  #hasFailed = false;

  constructor(options: NodeMembershipOptions) {
    this.#options = options;
  }

  get isRegistered(): boolean {
    return this.#isRegistered;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#stop.abort(new Error('node stops'));
    await this.#running;
  }

  /** One round: a registration or a heartbeat. Failures are logged when they begin and end. */
  async beat(): Promise<void> {
    try {
      if (!this.#isRegistered) await this.#register();
      else await this.#heartbeat();
      if (this.#hasFailed) this.#options.logger.info({}, 'metadata can be reached again');
      this.#hasFailed = false;
    } catch (error) {
      if (this.#stop.signal.aborted) return;
      if (!this.#hasFailed) this.#options.logger.warn({ error }, 'metadata cannot be reached');
      this.#hasFailed = true;
    }
  }

  async #register(): Promise<void> {
    const { metadata, node, stores, logger } = this.#options;
    const disks = stores.map((store) => {
      const { capacityBytes, state } = store.statistics();
      return { diskId: store.diskId, capacityBytes, state };
    });
    const options = { timeoutMs: REGISTER_TIMEOUT_MS, signal: this.#stop.signal };
    await metadata.root('RegisterNode', { node, disks }, options);
    this.#isRegistered = true;
    logger.info({ incarnation: node.incarnation, disks: disks.length }, 'node registered');
  }

  async #heartbeat(): Promise<void> {
    const { metadata, node, stores } = this.#options;
    const disks = stores.map((store) => ({ diskId: store.diskId, ...store.statistics() }));
    const { isRegistered } = await metadata.heartbeat(
      { nodeId: node.nodeId, incarnation: node.incarnation, disks },
      { timeoutMs: HEARTBEAT_TIMEOUT_MS, signal: this.#stop.signal },
    );
    this.#isRegistered = isRegistered;
  }

  async #run(): Promise<void> {
    const { clock } = this.#options;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      const startedMs = clock.monotonicMs();
      await this.beat();
      const passedMs = clock.monotonicMs() - startedMs;
      const intervalMs = this.#isRegistered ? HEARTBEAT_INTERVAL_MS : REGISTER_INTERVAL_MS;
      const restMs = Math.max(0, intervalMs - passedMs);
      await clock.sleep(restMs, signal).catch(() => undefined);
    }
  }
}
