import { StoreError } from '@azimuth/common';

import type { Disk, FreeSpace } from './disk';
import type { DiskHealth } from './disk-health';

export interface DiskSpaceOptions {
  /** Kept free. Near it the disk is `full`: it serves reads and deletes only. */
  readonly lowSpaceBytes: number;
  /** A smaller size than the file system has, when several disks share one; null for all of it. */
  readonly capacityBytes: number | null;
}

/** After this many reserved bytes the file system is asked again. */
const RECHECK_AFTER_BYTES = 64 * 1024 * 1024;

/**
 * Refuses a shard before its first byte when there is no room for it. Free space is a reading of
 * the file system minus what has been promised since, so a burst of writers cannot all see the same
 * room.
 */
export class DiskSpace {
  readonly #disk: Disk;
  readonly #health: DiskHealth;
  readonly #options: DiskSpaceOptions;
  #measured: FreeSpace = { capacityBytes: 0, freeBytes: 0 };
  #reservedBytes = 0;
  #reservedSinceMeasure = 0;
  readonly #usedBytes: () => number;

  constructor(disk: Disk, health: DiskHealth, options: DiskSpaceOptions, usedBytes: () => number) {
    this.#disk = disk;
    this.#health = health;
    this.#options = options;
    this.#usedBytes = usedBytes;
  }

  get capacityBytes(): number {
    return this.#options.capacityBytes ?? this.#measured.capacityBytes;
  }

  async measure(): Promise<void> {
    this.#measured = await this.#disk.freeSpace();
    this.#reservedSinceMeasure = 0;
    this.#update();
  }

  /**
   * Promises `sizeBytes` to one shard; the returned function gives the promise back once the bytes
   * are in the file (or will never be).
   *
   * @throws StoreError DISK_FULL.
   */
  async reserve(sizeBytes: number): Promise<() => void> {
    if (this.#reservedSinceMeasure > RECHECK_AFTER_BYTES || this.#health.state === 'full') {
      await this.measure();
    }
    const freeBytes = this.#freeBytes();
    if (freeBytes - sizeBytes < this.#options.lowSpaceBytes) {
      this.#update();
      throw new StoreError('DISK_FULL', { freeBytes, sizeBytes });
    }
    this.#reservedBytes += sizeBytes;
    this.#reservedSinceMeasure += sizeBytes;
    let isHeld = true;
    return () => {
      if (isHeld) this.#reservedBytes -= sizeBytes;
      isHeld = false;
    };
  }

  /** The file system itself said ENOSPC, whatever it told before. */
  markFull(): void {
    this.#measured = { ...this.#measured, freeBytes: 0 };
    this.#health.setLowOnSpace(true);
  }

  #freeBytes(): number {
    // Bytes written since the reading are counted once more than needed until the next reading: an
    // early refusal is retried elsewhere, a late one is a failed write.
    const free =
      this.#measured.freeBytes - Math.max(this.#reservedBytes, this.#reservedSinceMeasure);
    if (this.#options.capacityBytes === null) return free;
    return Math.min(free, this.#options.capacityBytes - this.#usedBytes() - this.#reservedBytes);
  }

  /** The margin keeps the disk from changing its state with every shard that comes and goes. */
  #update(): void {
    const { lowSpaceBytes } = this.#options;
    const marginBytes = lowSpaceBytes / 4;
    const isFull = this.#health.state === 'full';
    const limitBytes = lowSpaceBytes + marginBytes * (isFull ? 2 : 1);
    this.#health.setLowOnSpace(this.#freeBytes() < limitBytes);
  }
}
