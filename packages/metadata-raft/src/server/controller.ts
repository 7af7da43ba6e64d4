import { hasCode } from '@azimuth/common';
import type { Clock, Logger } from '@azimuth/common';
import type { ClusterMap, ClusterSettings } from '@azimuth/placement';

import { planNodes, planPlacement } from './control-plan';
import type { PlannedCommand } from './control-plan';
import type { GroupEndpoint } from './group-endpoint';
import type { NodeMonitor } from './node-monitor';
import { RoundLoop } from './round-loop';
import type { RootCommandSet } from '../state-machine/root-commands';

const ROUND_MS = 500;
/** A round that comes this much late means that heartbeats may be waiting unread. */
const STALL_MS = 1_000;
const SETTLE_MS = 30_000;
/** The very first groups wait for this long without a new node: then they use all of them. */
const FORMING_MS = 1_500;

export interface ControllerOptions {
  readonly root: GroupEndpoint<RootCommandSet>;
  readonly monitor: NodeMonitor;
  readonly settings: ClusterSettings;
  readonly heartbeatTimeoutMs: number;
  readonly steadyMs: number;
  /** Slots of a node that is down for longer move, unless its whole zone is down. */
  readonly nodeGraceMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * The control loop of the root leader. It decides over a state that a quorum has just confirmed, so
 * a leader that is cut off marks nobody down.
 */
export class Controller {
  readonly #options: ControllerOptions;
  readonly #rounds: RoundLoop;
  #listeningSinceMs: number | null = null;
  #lastRoundMs = 0;
  #knownNodes = 0;
  #lastJoinMs = 0;
  /** The map for which there was nothing to plan. */
  #restedMap: ClusterMap | null = null;

  constructor(options: ControllerOptions) {
    this.#options = options;
    this.#rounds = new RoundLoop({
      intervalMs: ROUND_MS,
      clock: options.clock,
      run: () => this.#runRound(),
      onFailure: (error) => this.#report(error),
    });
  }

  start(): void {
    this.#rounds.start();
  }

  close(): Promise<void> {
    return this.#rounds.close();
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
      }),
    );
    await this.#placeGroups(root.commands.state.map());
  }

  async #placeGroups(map: ClusterMap): Promise<void> {
    const { root, nodeGraceMs } = this.#options;
    const quietMs = this.#quietMs(map);
    if (map.groups.size === 0 && quietMs < FORMING_MS) return;
    const isSettled = quietMs >= SETTLE_MS;
    // What changes without the map are the graces of nodes that are down.
    const isAnyDown = [...map.nodes.values()].some(({ state }) => state === 'down');
    if (map === this.#restedMap && !isAnyDown) return;
    const plan = planPlacement(map, { isSettled, nowMs: root.nowMs(), nodeGraceMs });
    this.#restedMap = plan.length === 0 && isSettled ? map : null;
    await this.#proposeAll(plan);
  }

  /** Since when no node has joined, in the time of this leadership. */
  #quietMs({ nodes }: ClusterMap): number {
    const nowMs = this.#options.clock.monotonicMs();
    if (nodes.size !== this.#knownNodes) {
      this.#knownNodes = nodes.size;
      this.#lastJoinMs = nowMs;
    }
    return nowMs - this.#lastJoinMs;
  }

  async #proposeAll(commands: readonly PlannedCommand[]): Promise<void> {
    for (const command of commands) {
      if (this.#rounds.isClosed) return;
      await this.#propose(command);
    }
  }

  async #propose({ name, args, reason }: PlannedCommand): Promise<void> {
    this.#options.logger.info({ command: name, args, reason }, 'controller proposes');
    await this.#options.root.propose(name, args);
    if (name === 'SetNodeState' && args.state === 'down') {
      this.#options.monitor.noteDown(args.nodeId, this.#options.clock.monotonicMs());
    }
  }

  #report(error: unknown): void {
    // Losing the leadership in the middle of a round is normal; the next leader goes on.
    if (hasCode(error, 'NOT_LEADER', 'OUTCOME_UNKNOWN')) return;
    this.#options.logger.warn({ error }, 'control round failed');
  }
}
