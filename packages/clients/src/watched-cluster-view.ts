import { backoffMs, hasCode, StoreError } from '@azimuth/common';
import type { Clock, Logger, Random } from '@azimuth/common';
import { intentKey } from '@azimuth/placement';
import type { ClusterMap, Intent } from '@azimuth/placement';
import type {
  BucketRecord,
  ClusterMapDelta,
  ClusterMapDocument,
  WatchResult,
} from '@azimuth/proto';

import type { ClusterView, IdentitySnapshot } from './cluster-view';
import { IdentityTable } from './identity-table';
import type { WatchingMetadataClient } from './session-metadata-client';
import { SuspectDisks } from './suspect-disks';

/** Short, so that a view that is confirmed at all is confirmed well within WATCH_AGE_MAX_MS. */
const WATCH_WAIT_MS = 1_000;
const WATCH_TIMEOUT_MS = 4_000;
const BACKOFF = { baseMs: 50, maxMs: 500 };

export interface ClusterViewOptions {
  readonly metadata: WatchingMetadataClient;
  /** Only gateways may ask for identities. */
  readonly withIdentities?: boolean;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

export interface ClosableClusterView extends ClusterView {
  close(): void;
}

/** A view that a long poll on the root leader keeps current, from now until `close`. */
export function createClusterView(options: ClusterViewOptions): ClosableClusterView {
  const view = new WatchedClusterView(options);
  void view.run();
  return view;
}

/** The map of the last answer. Maps are replaced and never changed, so readers may keep them. */
export class WatchedClusterView implements ClosableClusterView {
  readonly #options: ClusterViewOptions;
  #map: ClusterMap | null = null;
  #buckets: ReadonlyMap<string, BucketRecord> = new Map();
  #identities = IdentityTable.of(0, []);
  /** When the answer that confirmed the view was asked for: it cannot be older than that. */
  #confirmedMs = -Infinity;
  #isClosed = false;
  #waiting = new Set<() => void>();
  readonly #suspects: SuspectDisks;
  readonly #lookups = new Map<string, Promise<BucketRecord | null>>();

  constructor(options: ClusterViewOptions) {
    this.#options = options;
    this.#suspects = new SuspectDisks(options.clock);
  }

  map(): ClusterMap {
    if (this.#map === null) throw new StoreError('UNAVAILABLE', { reason: 'no cluster map yet' });
    return this.#map;
  }

  async bucket(name: string, signal?: AbortSignal): Promise<BucketRecord | null> {
    const known = this.#buckets.get(name);
    if (known !== undefined) return known;
    if (signal?.aborted === true) throw new StoreError('CANCELLED');
    const running = this.#lookups.get(name);
    if (running !== undefined) return running;
    // One question for all who ask meanwhile; so it does not end with the first one's signal.
    const lookup = this.#options.metadata
      .queryRoot('GetBucket', { name })
      .finally(() => this.#lookups.delete(name));
    this.#lookups.set(name, lookup);
    return lookup;
  }

  identities(): IdentitySnapshot {
    return this.#identities;
  }

  ageMs(): number {
    return this.#options.clock.monotonicMs() - this.#confirmedMs;
  }

  waitForChange(timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const finish = (): void => {
        cancelTimer();
        this.#waiting.delete(finish);
        resolve();
      };
      const cancelTimer = this.#options.clock.schedule(timeoutMs, finish);
      this.#waiting.add(finish);
    });
  }

  reportDiskFailure(diskId: string): void {
    this.#suspects.report(diskId);
  }

  isSuspect(diskId: string): boolean {
    return this.#suspects.has(diskId);
  }

  close(): void {
    this.#isClosed = true;
    for (const finish of [...this.#waiting]) finish();
  }

  /** Watches until `close`. Never rejects. */
  async run(): Promise<void> {
    const { metadata, clock, random, logger, withIdentities = false } = this.#options;
    let failures = 0;
    while (!this.#isClosed) {
      const askedMs = clock.monotonicMs();
      try {
        // The first answer must not wait for a change.
        const waitMs = this.#map === null ? 0 : WATCH_WAIT_MS;
        const since = this.#map?.version ?? 0;
        const request = { since, waitMs, withIdentities };
        const result = await metadata.watch(request, { timeoutMs: WATCH_TIMEOUT_MS });
        this.#take(result, askedMs);
        failures = 0;
      } catch (error) {
        // The client was closed under us.
        if (hasCode(error, 'CANCELLED')) return;
        if (failures === 0) logger.warn({ error }, 'the cluster map cannot be watched');
        await clock.sleep(backoffMs(failures, BACKOFF, random));
        failures += 1;
      }
    }
  }

  #take(result: WatchResult, askedMs: number): void {
    this.#confirmedMs = askedMs;
    if (result.kind === 'unchanged') return;
    if (result.kind === 'full') {
      this.#map = mapOfDocument(result.map, result.version);
      this.#buckets = new Map(result.map.buckets.map((bucket) => [bucket.name, bucket]));
      const { identityRevision, identities } = result.map;
      this.#identities = IdentityTable.of(identityRevision, identities);
    } else {
      this.#map = applyDelta(this.map(), result.map, result.version);
      this.#buckets = changeBuckets(this.#buckets, result.map);
      this.#identities = this.#identities.changed(result.map);
    }
    for (const finish of [...this.#waiting]) finish();
  }
}

function mapOfDocument(document: ClusterMapDocument, version: number): ClusterMap {
  return {
    version,
    settings: document.settings,
    nodes: new Map(document.nodes.map((node) => [node.nodeId, node])),
    disks: new Map(document.disks.map((disk) => [disk.diskId, disk])),
    groups: new Map(document.groups.map((group) => [group.pgId, group])),
    intents: new Map((document.intents ?? []).map((intent) => [keyOf(intent), intent])),
  };
}

function applyDelta(map: ClusterMap, delta: ClusterMapDelta, version: number): ClusterMap {
  return {
    version,
    settings: map.settings,
    nodes: changed(map.nodes, delta.nodes, ({ nodeId }) => nodeId, delta.removedNodes),
    disks: changed(map.disks, delta.disks, ({ diskId }) => diskId, delta.removedDisks),
    groups: changed(map.groups, delta.groups, ({ pgId }) => pgId, delta.removedGroups),
    intents: changed(
      map.intents ?? new Map<string, Intent>(),
      delta.intents ?? [],
      keyOf,
      delta.removedIntents,
    ),
  };
}

function keyOf({ scope, name }: Intent): string {
  return intentKey(scope, name);
}

function changed<Key, Entry>(
  before: ReadonlyMap<Key, Entry>,
  present: readonly Entry[],
  nameOf: (entry: Entry) => Key,
  removed: readonly Key[] = [],
): ReadonlyMap<Key, Entry> {
  const entries = new Map(before);
  for (const key of removed) entries.delete(key);
  for (const entry of present) entries.set(nameOf(entry), entry);
  return entries;
}

function changeBuckets(
  buckets: ReadonlyMap<string, BucketRecord>,
  delta: ClusterMapDelta,
): ReadonlyMap<string, BucketRecord> {
  if (delta.buckets.length === 0 && delta.removedBuckets.length === 0) return buckets;
  const changed = new Map(buckets);
  for (const name of delta.removedBuckets) changed.delete(name);
  for (const bucket of delta.buckets) changed.set(bucket.name, bucket);
  return changed;
}
