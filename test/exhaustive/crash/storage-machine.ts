import { seededRandom, silentLogger } from '@azimuth/common';
import type { Clock } from '@azimuth/common';
import { openDiskIdentity, SegmentStore, silentObserver } from '@azimuth/storage-node';
import { MemoryIndexBackend, SimDisk } from '@azimuth/testkit';

export interface StorageMachineOptions {
  readonly nodeId: string;
  readonly zone: string;
  readonly clusterId: string;
  readonly seed: number;
  readonly clock: Clock;
}

/** So small that a few shards fill a segment and the larger ones get their own. */
const SEGMENT_BYTES_MAX = 200_000;
const OWN_SEGMENT_ABOVE_BYTES = 150_000;
const CAPACITY_BYTES = 64 * 1024 * 1024;

/** A storage node with one disk: the real store over a simulated disk. */
export class StorageMachine {
  readonly nodeId: string;
  readonly zone: string;
  readonly disk: SimDisk;
  readonly #options: StorageMachineOptions;
  readonly #index = new MemoryIndexBackend();
  #store: SegmentStore | null = null;
  #boots = 1;
  #lives = 0;
  #diskId = '';

  constructor(options: StorageMachineOptions) {
    this.nodeId = options.nodeId;
    this.zone = options.zone;
    this.#options = options;
    this.disk = new SimDisk({ random: seededRandom(options.seed), capacityBytes: CAPACITY_BYTES });
  }

  get diskId(): string {
    return this.#diskId;
  }

  get incarnation(): string {
    return `i${String(this.#lives)}`;
  }

  /** Null while the machine is down. */
  get store(): SegmentStore | null {
    return this.disk.isCrashed ? null : this.#store;
  }

  async start(): Promise<void> {
    const { clusterId, zone, nodeId, seed, clock } = this.#options;
    const random = seededRandom(seed + 1);
    const identity = await openDiskIdentity(this.disk, { clusterId, zone, nodeId }, random);
    this.#diskId = identity.diskId;
    this.#lives += 1;
    this.#store = await SegmentStore.open({
      ...{ disk: this.disk, identity, indexBackend: this.#index, clock, random },
      bootId: `boot-${String(this.#boots)}`,
      logger: silentLogger,
      observer: silentObserver,
      space: { lowSpaceBytes: 0, capacityBytes: null },
      segmentBytesMax: SEGMENT_BYTES_MAX,
      ownSegmentAboveBytes: OWN_SEGMENT_ABOVE_BYTES,
    });
  }

  /** Dies, if it is not dead yet, and comes back; with `power` what was not synced may be gone. */
  async restart(kind: 'process' | 'power'): Promise<void> {
    const dead = this.#store;
    this.#store = null;
    if (!this.disk.isCrashed) {
      this.disk.inject({ atOperation: 1, kind: 'crash' });
      await this.disk.syncParent().catch(() => undefined);
    }
    // What still runs of the dead process ends: nothing that it asks of the disk works.
    await dead?.close().catch(() => undefined);
    if (kind === 'power') {
      this.disk.powerLoss();
      this.#boots += 1;
    } else {
      this.disk.kill();
    }
    await this.start();
  }
}
