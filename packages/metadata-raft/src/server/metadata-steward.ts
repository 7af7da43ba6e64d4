import { hasCode } from '@azimuth/common';
import type { Clock, Logger } from '@azimuth/common';
import type { MetadataAdministration } from '@azimuth/clients';
import type {
  MetadataIntentResult,
  MetadataNodeEntry,
  MetadataStatus,
  SessionRequest,
} from '@azimuth/proto';

import type { RootCommandSet } from '../state-machine/root-commands';
import type { GroupEndpoint } from './group-endpoint';
import { planIntent } from './metadata-intent';
import { planMetadata } from './metadata-plan';
import type { GroupView, MetadataStep } from './metadata-plan';
import { RoundLoop } from './round-loop';

const ROUND_MS = 1_000;
const STEP_TIMEOUT_MS = 10_000;
const STATUS_TIMEOUT_MS = 1_500;
/** Leaders are evened out only when none has changed for this long. */
const STEADY_MS = 30_000;
/** Steps of one round go out together, but not more than these. */
const STEPS_MAX = 16;

export interface MetadataStewardOptions {
  readonly root: GroupEndpoint<RootCommandSet>;
  readonly client: MetadataAdministration;
  /** The metadata nodes of a cluster that has no record of them yet. */
  readonly founders: () => readonly MetadataNodeEntry[];
  readonly groupCount: number;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * The part of the root leader that brings members and leaders of all groups to what the record in
 * `root` says. It remembers nothing: a new leader goes on from the record and from what is there.
 */
export class MetadataSteward {
  readonly #options: MetadataStewardOptions;
  readonly #rounds: RoundLoop;
  #leaders = '';
  #steadySinceMs = 0;

  constructor(options: MetadataStewardOptions) {
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

  /** @throws StoreError NOT_LEADER; INVALID_ARGUMENT (`reason`) */
  async onIntent({
    intent,
    isDryRun,
  }: Extract<SessionRequest, { kind: 'intent' }>): Promise<MetadataIntentResult> {
    const { root, client } = this.#options;
    const statuses = await client.status({ timeoutMs: STATUS_TIMEOUT_MS });
    await root.confirm();
    const { state } = root.commands;
    const nodes = state.metadataNodes();
    const alive = new Set(statuses.map(({ nodeId }) => nodeId));
    const { put, remove, lines } = planIntent(nodes, intent, alive, state.map().settings.zones);
    const isChange = put.length + remove.length > 0;
    if (isChange && !isDryRun) {
      await root.propose('ChangeMetadataNodes', { expected: nodes, put, remove });
    }
    return { lines };
  }

  async #runRound(): Promise<void> {
    const { root, client, clock, founders, groupCount } = this.#options;
    if (!root.isLeader || root.commands.state.settings() === null) {
      this.#leaders = '';
      return;
    }
    const statuses = await client.status({ timeoutMs: STATUS_TIMEOUT_MS });
    await root.confirm();
    const nodes = root.commands.state.metadataNodes();
    if (nodes.length === 0) {
      await root.propose('ChangeMetadataNodes', { expected: [], put: founders(), remove: [] });
      return;
    }
    const groups = viewsOf(statuses);
    const leaders = groups.map(({ group, leader }) => `${group}=${leader}`).join();
    if (leaders !== this.#leaders) this.#steadySinceMs = clock.monotonicMs();
    this.#leaders = leaders;
    const isSteady = clock.monotonicMs() - this.#steadySinceMs >= STEADY_MS;
    const steps = planMetadata({ nodes, groups, groupCount, isSteady });
    await Promise.all(steps.slice(0, STEPS_MAX).map((step) => this.#take(step, nodes)));
  }

  async #take(step: MetadataStep, nodes: readonly MetadataNodeEntry[]): Promise<void> {
    const { root, client, logger } = this.#options;
    logger.info({ step }, 'metadata nodes change');
    const options = { timeoutMs: STEP_TIMEOUT_MS };
    try {
      if (step.kind === 'nodes') {
        const { put, remove } = step;
        await root.propose('ChangeMetadataNodes', { expected: nodes, put, remove });
      } else if (step.kind === 'lead') {
        await client.lead(step.group, step.target, options);
      } else {
        const { group, expectedIndex, voters, learners } = step;
        await client.changeMembers({ group, expectedIndex, voters, learners }, options);
      }
    } catch (error) {
      this.#report(error);
    }
  }

  #report(error: unknown): void {
    // The next round, here or on the next leader, sees what has become of it.
    const isNormal = hasCode(error, 'NOT_LEADER', 'OUTCOME_UNKNOWN', 'PRECONDITION_FAILED');
    if (isNormal || this.#rounds.isClosed) return;
    this.#options.logger.warn({ error }, 'a step of the metadata nodes failed');
  }
}

/** One view a group, of its newest leader. */
function viewsOf(statuses: readonly MetadataStatus[]): GroupView[] {
  const views = new Map<string, GroupView & { readonly term: number }>();
  for (const { nodeId, groups } of statuses) {
    for (const { group, role, term, commitIndex, membership } of groups) {
      if (role !== 'leader' || membership === undefined) continue;
      if (term < (views.get(group)?.term ?? 0)) continue;
      views.set(group, { group, leader: nodeId, term, commitIndex, membership });
    }
  }
  return [...views.values()].sort((a, b) => (a.group < b.group ? -1 : 1));
}
