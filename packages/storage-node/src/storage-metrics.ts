import { collectProcessMetrics } from '@azimuth/common';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';

import type { RepairTraffic } from './repair/term-reader';
import type { ServedDisk } from './server/storage-service';
import type { ShardTraffic } from './server/shard-server';
import type { StoreObserver } from './store/store-observer';

const LATENCY_BUCKETS = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10];

/** The metrics of a storage node; names begin with `azimuth_storage_`. */
export class StorageMetrics {
  readonly registry = new Registry();
  readonly #receivedBytes: Counter;
  readonly #sentBytes: Counter;
  readonly #requestSeconds: Histogram;
  readonly #requests: Counter;
  readonly #syncSeconds: Histogram;
  readonly #scrubbedBytes: Counter;
  readonly #compactedBytes: Counter;
  readonly #zoneBytes: Counter;
  readonly #discardedIndexes: Counter;

  constructor(disks: ReadonlyMap<string, ServedDisk>) {
    collectProcessMetrics(this.registry);
    const registers = [this.registry];
    this.#receivedBytes = new Counter({
      name: 'azimuth_storage_received_bytes_total',
      help: 'Bytes of shards and checksums received by PUT.',
      registers,
    });
    this.#sentBytes = new Counter({
      name: 'azimuth_storage_sent_bytes_total',
      help: 'Bytes of shards and checksums sent.',
      registers,
    });
    this.#requests = new Counter({
      name: 'azimuth_storage_requests_total',
      help: 'Shard requests by operation and outcome.',
      labelNames: ['operation', 'code'],
      registers,
    });
    this.#requestSeconds = new Histogram({
      name: 'azimuth_storage_request_seconds',
      help: 'Time from the head of a shard request to its answer.',
      labelNames: ['operation'],
      buckets: LATENCY_BUCKETS,
      registers,
    });
    this.#syncSeconds = new Histogram({
      name: 'azimuth_storage_fsync_seconds',
      help: 'Duration of successful fdatasync calls on segments.',
      labelNames: ['disk'],
      buckets: LATENCY_BUCKETS,
      registers,
    });
    this.#scrubbedBytes = new Counter({
      name: 'azimuth_storage_scrubbed_bytes_total',
      help: 'Bytes read and verified by scrub tours.',
      labelNames: ['disk'],
      registers,
    });
    this.#compactedBytes = new Counter({
      name: 'azimuth_storage_compacted_bytes_total',
      help: 'Bytes freed by compaction of shared segments.',
      labelNames: ['disk'],
      registers,
    });
    this.#zoneBytes = new Counter({
      name: 'azimuth_repair_zone_bytes_total',
      help: 'Bytes of shards and sums received for rebuilds, by the zones they went between.',
      labelNames: ['from_zone', 'to_zone', 'purpose'],
      registers,
    });
    this.#discardedIndexes = new Counter({
      name: 'azimuth_storage_discarded_indexes_total',
      help: 'Shard indexes discarded because starts before had ended without a word.',
      labelNames: ['disk'],
      registers,
    });
    const gauge = diskGauge(this.registry, disks);
    registerDiskGauges(gauge);
    registerScrubGauges(gauge);
  }

  onTraffic(traffic: ShardTraffic): void {
    const { operation, code, seconds, receivedBytes, sentBytes } = traffic;
    this.#receivedBytes.inc(receivedBytes);
    this.#sentBytes.inc(sentBytes);
    this.#requests.inc({ operation, code });
    this.#requestSeconds.observe({ operation }, seconds);
  }

  onRepairTraffic({ fromZone, toZone, purpose, bytes }: RepairTraffic): void {
    this.#zoneBytes.inc({ from_zone: fromZone, to_zone: toZone, purpose }, bytes);
  }

  onIndexDiscarded(disk: string): void {
    this.#discardedIndexes.inc({ disk });
  }

  observerOf(disk: string): StoreObserver {
    return {
      synced: (seconds) => this.#syncSeconds.observe({ disk }, seconds),
      fenced: () => undefined,
      scrubbed: (bytes) => this.#scrubbedBytes.inc({ disk }, bytes),
      compacted: (bytes) => this.#compactedBytes.inc({ disk }, bytes),
    };
  }
}

type RegisterGauge = (name: string, help: string, read: (disk: ServedDisk) => number) => void;

/** Gauges are read from the stores when somebody asks, so they are never stale. */
function diskGauge(registry: Registry, disks: ReadonlyMap<string, ServedDisk>): RegisterGauge {
  return (name, help, read) => {
    new Gauge({
      name: `azimuth_storage_${name}`,
      help,
      labelNames: ['disk'],
      registers: [registry],
      collect() {
        for (const [diskId, disk] of disks) this.set({ disk: diskId }, read(disk));
      },
    });
  };
}

function registerDiskGauges(gauge: RegisterGauge): void {
  gauge(
    'disk_capacity_bytes',
    'Size of the disk, or the part given to the node.',
    ({ store }) => store.statistics().capacityBytes,
  );
  gauge(
    'disk_used_bytes',
    'Bytes of all segments of the disk.',
    ({ store }) => store.statistics().usedBytes,
  );
  gauge('disk_fenced', '1 once a failed fsync made the disk read-only.', ({ store }) =>
    store.statistics().state === 'fenced' ? 1 : 0,
  );
  gauge('disk_full', '1 while the disk takes no new shards for want of space.', ({ store }) =>
    store.statistics().state === 'full' ? 1 : 0,
  );
  gauge('shards', 'Shards stored on the disk.', ({ store }) => store.statistics().shardCount);
  gauge(
    'findings',
    'Shards known to be damaged and not yet repaired.',
    ({ store }) => store.statistics().corruptShards,
  );
}

function registerScrubGauges(gauge: RegisterGauge): void {
  gauge(
    'scrub_tour_bytes',
    'Bytes verified by the scrub tour that is under way.',
    ({ scrubber }) => scrubber.progress.scrubbedBytes,
  );
  gauge(
    'scrub_tour_size_bytes',
    'Sizes of the segments that the scrub tour has passed or has still to pass.',
    ({ scrubber }) => scrubber.progress.tourBytes,
  );
  gauge(
    'scrub_last_pass_seconds',
    'When the last whole scrub tour ended, in Unix time; 0 before the first.',
    ({ scrubber }) => (scrubber.progress.lastPassMs ?? 0) / 1_000,
  );
  gauge(
    'scrub_tour_share',
    'How much of the scrub tour is done, from 0 to 1.',
    ({ scrubber }) => scrubber.progress.share,
  );
  gauge(
    'scrub_tour_end_seconds',
    'When the scrub tour will have ended at its rate of now, or has ended, in Unix time.',
    ({ scrubber }) => scrubber.progress.expectedEndMs / 1_000,
  );
  gauge('scrub_late', '1 when the scrub tour takes longer than its period, or will.', (disk) =>
    Number(disk.scrubber.progress.isLate),
  );
  gauge(
    'scrub_skipped_segments',
    'Segments that the scrub tour could not read.',
    ({ scrubber }) => scrubber.progress.skippedSegments,
  );
  gauge(
    'scrub_tours_completed',
    'Scrub tours completed since the start of the process.',
    ({ scrubber }) => scrubber.progress.toursCompleted,
  );
}
