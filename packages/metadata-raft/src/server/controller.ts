import { hasCode } from '@azimuth/common';
import type { Clock, Logger } from '@azimuth/common';
import type { ClusterSettings } from '@azimuth/placement';

import { planNodes, planPlacement } from './control-plan';
import type { PlannedCommand } from './control-plan';
import type { GroupEndpoint } from './group-endpoint';
import type { NodeMonitor } from './node-monitor';
import type { RootCommandSet } from '../state-machine/root-commands';

const ROUND_MS = 500;
/** A round that comes this much late means that heartbeats may be waiting unread. */
const STALL_MS = 1_000;
const SETTLE_MS = 30_000;

export interface ControllerOptions {
  readonly root: GroupEndpoint<RootCommandSet>;
  readonly monitor: NodeMonitor;
  readonly settings: ClusterSettings;
  readonly heartbeatTimeoutMs: number;
  readonly steadyMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * The control loop of the root leader. It decides over a state that a quorum has just confirmed, so
 * a leader that is cut off marks nobody down.
 */
export class Controller {
  readonly #options: ControllerOptions;
  #listeningSinceMs: number | null = null;
  #lastRoundMs = 0;
  #knownNodes = 0;
  #lastJoinMs = 0;
  #isClosed = false;
  #cancelTimer: () => void = () => undefined;
  #round: Promise<void> = Promise.resolve();

  constructor(options: ControllerOptions) {
    this.#options = options;
  }

  start(): void {
    this.#schedule();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelTimer();
    await this.#round;
  }

  #schedule(): void {
    if (this.#isClosed) return;
    this.#cancelTimer = this.#options.clock.schedule(ROUND_MS, () => {
      this.#round = this.#runRound()
        .catch((error: unknown) => this.#report(error))
        .finally(() => this.#schedule());
    });
  }

  async #runRound(): Promise<void> {
    const { root, monitor, clock, settings } = this.#options;
    if (!root.isLeader) {
      this.#listeningSinceMs = null;
      return;
    }
    const startedMs = clock.monotonicMs();
    const isStalled = startedMs - this.#lastRoundMs > ROUND_MS + STALL_MS;
    this.#lastRoundMs = startedMs;
    if (this.#listeningSinceMs === null) {
      monitor.clear();
      this.#lastJoinMs = startedMs;
    }
    if (this.#listeningSinceMs === null || isStalled) this.#listeningSinceMs = startedMs;

    await root.confirm();
    if (root.commands.state.settings() === null) {
      await this.#propose({ name: 'InitializeCluster', args: { settings }, reason: 'first start' });
    }
    await this.#proposeAll(
      planNodes({
        map: root.commands.state.map(),
        sightings: monitor.sightings,
        nowMs: clock.monotonicMs(),
        listeningSinceMs: this.#listeningSinceMs,
        heartbeatTimeoutMs: this.#options.heartbeatTimeoutMs,
        steadyMs: this.#options.steadyMs,
        isSettled: false,
      }),
    );
    await this.#proposeAll(planPlacement(root.commands.state.map(), this.#isSettled()));
  }

  /** True when no node has joined for a while, in the time of this leadership. */
  #isSettled(): boolean {
    const nowMs = this.#options.clock.monotonicMs();
    const { size } = this.#options.root.commands.state.map().nodes;
    if (size !== this.#knownNodes) {
      this.#knownNodes = size;
      this.#lastJoinMs = nowMs;
    }
    return nowMs - this.#lastJoinMs >= SETTLE_MS;
  }

  async #proposeAll(commands: readonly PlannedCommand[]): Promise<void> {
    for (const command of commands) {
      if (this.#isClosed) return;
      await this.#propose(command);
    }
  }

  async #propose({ name, args, reason }: PlannedCommand): Promise<void> {
    this.#options.logger.info({ command: name, args, reason }, 'controller proposes');
    await this.#options.root.propose(name, args);
  }

  #report(error: unknown): void {
    // Losing the leadership in the middle of a round is normal; the next leader goes on.
    if (hasCode(error, 'NOT_LEADER', 'OUTCOME_UNKNOWN')) return;
    this.#options.logger.warn({ error }, 'control round failed');
  }
}
