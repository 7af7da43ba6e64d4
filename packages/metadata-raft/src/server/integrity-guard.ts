import { hasCode, required } from '@azimuth/common';
import type { Clock, Logger, StoreError } from '@azimuth/common';
import type { GroupMembership, MetadataStatus, ReplicaIntegrity } from '@azimuth/proto';

import type { RaftMembership } from '../core/raft-node';
import type { MetadataDriver } from '../driver/metadata-driver';
import type { GroupEndpoint } from './group-endpoint';
import type { FindingsLog } from './findings-log';
import { isHeldByOthers, leadersOf } from './log-holders';
import { judgeReplica } from './replica-verdict';
import type { ReplicaVerdict } from './replica-verdict';
import type { IndexCommandSet } from '../state-machine/index-commands';
import type { RootCommandSet } from '../state-machine/root-commands';

const COMPARE_INTERVAL_MS = 10_000;
const STEP_MS = 1_000;
/** A group without a new entry for so long counts as idle: its replicas are at the same index. */
const IDLE_MS = 15_000;
/** A tour reads no faster than this; the state of a metadata node is small. */
const TOUR_BYTES_PER_SECOND = 16 * 1024 * 1024;

type Endpoint = GroupEndpoint<RootCommandSet> | GroupEndpoint<IndexCommandSet>;

export interface IntegrityGuardOptions {
  readonly nodeId: string;
  readonly endpoints: readonly Endpoint[];
  readonly driver: Pick<
    MetadataDriver,
    'condemn' | 'isRunning' | 'verifyLog' | 'verifySnapshots' | 'verifyVotes'
  >;
  /** Everything that this node stores is read once in this time. */
  readonly periodMs: number;
  readonly findings: FindingsLog;
  /** Answers of the other voters; who does not answer is left out. */
  readonly askPeers: () => Promise<readonly MetadataStatus[]>;
  /** A record of `group` fails its checksum: the replica is of no use any more. */
  readonly onCorrupt: (group: string, error: StoreError) => void;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Looks at all that a metadata node stores although nobody asks for it, and compares its replicas
 * with those of the other nodes.
 *
 * G1 A replica that a majority contradicts at the same index serves nothing any more, throws its
 *    state away and takes it from its leader.
 * G2 It does so only while the others have its log: its state is wrong, but what it acknowledged
 *    may be on one other disk alone.
 * G3 That, and anything else that would make this node abstain, waits while a replica of another
 *    node is damaged: one at a time can always be rebuilt.
 */
export class IntegrityGuard {
  readonly #options: IntegrityGuardOptions;
  readonly #stop = new AbortController();
  readonly #idle = new Map<string, { index: number; sinceMs: number; slot: number }>();
  #verdicts: ReadonlyMap<string, ReplicaVerdict> = new Map();
  #running: Promise<unknown> = Promise.resolve();
  #toursCompleted = 0;
  #tourEndedMs: number | null = null;

  constructor(options: IntegrityGuardOptions) {
    this.#options = options;
  }

  /** By group, of the last comparison. */
  get verdicts(): ReadonlyMap<string, ReplicaVerdict> {
    return this.#verdicts;
  }

  /** Tours over log, votes and snapshots since the start. */
  get toursCompleted(): number {
    return this.#toursCompleted;
  }

  /** When the last tour ended, by the wall clock; null before the first. */
  get tourEndedMs(): number | null {
    return this.#tourEndedMs;
  }

  start(): void {
    const { periodMs } = this.#options;
    this.#running = Promise.all([
      this.#repeat('comparison of replicas', Math.min(COMPARE_INTERVAL_MS, periodMs), () =>
        this.compare(),
      ),
      this.#repeat('census', STEP_MS, () => this.takeCensuses()),
      this.#repeat('tour over the log', periodMs, () => this.tour()),
    ]);
  }

  async close(): Promise<void> {
    this.#stop.abort(new Error('node stops'));
    await this.#running;
  }

  /** Compares every replica here with those of the peers, and acts on it (G1). */
  async compare(): Promise<void> {
    const { endpoints, nodeId, logger } = this.#options;
    const tails = new Map(
      endpoints.map(({ name, group }) => {
        const { commitIndex, term } = group.status();
        return [name, { index: commitIndex, term }] as const;
      }),
    );
    const peers = await this.#options.askPeers();
    const verdicts = new Map<string, ReplicaVerdict>();
    for (const endpoint of endpoints) {
      const { voters, outgoing } = endpoint.group.membership().configuration;
      // Nobody to be outvoted by; or it is being decided who has a vote.
      if (voters.length < 2 || outgoing !== null) continue;
      const replicas = new Map([[nodeId, integrityOf(endpoint)]]);
      for (const peer of peers) {
        const found = peer.groups.find(({ group }) => group === endpoint.name)?.integrity;
        if (found !== undefined && voters.includes(peer.nodeId)) replicas.set(peer.nodeId, found);
      }
      const verdict = judgeReplica(nodeId, replicas, voters.length);
      verdicts.set(endpoint.name, verdict);
      if (verdict.kind === 'agrees') continue;
      logger.error({ group: endpoint.name, ...verdict }, 'replicas differ');
      const isOtherDamaged = [...replicas].some(
        ([id, { isDamaged }]) => id !== nodeId && isDamaged,
      );
      if (verdict.kind !== 'outvoted' || isOtherDamaged) continue;
      const tail = required(tails.get(endpoint.name), 'tail');
      const leaders = [...leadersOf(endpoint.name, peers), ...this.#ownView(endpoint)];
      // The next start asks again, when this log does not grow any more.
      if (isHeldByOthers(nodeId, tail, leaders)) await this.#condemn(endpoint.name);
    }
    this.#verdicts = verdicts;
  }

  /** Reads the views that entries have frozen, and freezes those of idle groups. */
  async takeCensuses(): Promise<void> {
    for (const { name, machine } of this.#options.endpoints) {
      if (this.#isIdleAndDue(name, machine.lastApplied())) machine.census.begin();
      try {
        await machine.census.read((bytes) => this.#pace(bytes));
      } catch (error) {
        if (!hasCode(error, 'STATE_CORRUPT')) throw error;
        this.#options.onCorrupt(name, error);
      }
    }
  }

  /** Reads log, votes and snapshots against their checksums once. */
  async tour(): Promise<void> {
    const { driver, clock } = this.#options;
    const pace = (bytes: number): Promise<void> => this.#pace(bytes);
    driver.verifyVotes();
    await driver.verifyLog(pace);
    await driver.verifySnapshots(pace);
    this.#toursCompleted += 1;
    this.#tourEndedMs = clock.wallMs();
  }

  #ownView({ group }: Endpoint): Parameters<typeof isHeldByOthers>[2] {
    const { role, term } = group.status();
    if (role !== 'leader') return [];
    return [{ nodeId: this.#options.nodeId, term, membership: membershipOf(group.membership()) }];
  }

  async #condemn(group: string): Promise<void> {
    const { findings, driver } = this.#options;
    if (!driver.isRunning || !findings.mayCondemn(group)) return;
    findings.add({ group, problem: 'replica', remedy: 'peers' });
    await driver.condemn(group);
  }

  /** An idle group begins one census a period, by this node's clock; see C1 of the census. */
  #isIdleAndDue(name: string, index: number): boolean {
    const { clock, periodMs } = this.#options;
    const nowMs = clock.monotonicMs();
    const slot = Math.floor(clock.wallMs() / periodMs);
    const known = this.#idle.get(name);
    if (known?.index !== index) {
      this.#idle.set(name, { index, sinceMs: nowMs, slot: known?.slot ?? -1 });
      return false;
    }
    if (known.slot === slot || nowMs - known.sinceMs < Math.min(IDLE_MS, periodMs)) return false;
    known.slot = slot;
    return true;
  }

  async #repeat(what: string, intervalMs: number, round: () => Promise<void>): Promise<void> {
    const { clock, logger } = this.#options;
    const { signal } = this.#stop;
    for (;;) {
      await clock.sleep(intervalMs, signal).catch(() => undefined);
      if (signal.aborted) return;
      await round().catch((error: unknown) => {
        if (!signal.aborted) logger.warn({ error, what }, 'integrity check failed');
      });
    }
  }

  async #pace(bytes: number): Promise<void> {
    await this.#options.clock.sleep((bytes / TOUR_BYTES_PER_SECOND) * 1_000, this.#stop.signal);
  }
}

/** What a node says of who belongs to a group. */
export function membershipOf(membership: RaftMembership): GroupMembership {
  const { configuration, configurationIndex, isSettled, members } = membership;
  const { voters, learners } = configuration;
  return { configurationIndex, voters, learners, isSettled, members };
}

/** What a node says of its replica of a group. */
export function integrityOf({ group, machine }: Endpoint): ReplicaIntegrity {
  return {
    isDamaged: group.status().isDamaged,
    applyVersion: machine.applyVersion,
    digests: machine.digests,
    censuses: machine.census.recent,
  };
}
