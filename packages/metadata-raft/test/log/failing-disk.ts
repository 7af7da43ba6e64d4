import { StoreError } from '@azimuth/common';

import type { LogDisk, LogFile } from '../../src/disk/log-disk';

/** How an operation goes wrong; it goes wrong once. */
export type DiskFailure = 'EIO' | 'ENOSPC' | 'short read';

/**
 * Counts every operation on a disk and its files; the nth fails. Half of a write that fails is
 * written. A sync that fails throws what that of a real file throws.
 */
export class FailingDisk implements LogDisk {
  readonly #disk: LogDisk;
  readonly #failure: DiskFailure;
  readonly #nth: number;
  #operations = 0;
  hasFailed = false;

  constructor(disk: LogDisk, failure: DiskFailure, nth: number) {
    this.#disk = disk;
    this.#failure = failure;
    this.#nth = nth;
  }

  async list(): Promise<readonly string[]> {
    this.#count('EIO');
    return this.#disk.list();
  }

  async open(name: string): Promise<LogFile> {
    this.#count('EIO', 'ENOSPC');
    return this.#file(await this.#disk.open(name));
  }

  async remove(name: string): Promise<void> {
    this.#count('EIO');
    await this.#disk.remove(name);
  }

  async rename(source: string, target: string): Promise<void> {
    this.#count('EIO', 'ENOSPC');
    await this.#disk.rename(source, target);
  }

  async syncDirectory(): Promise<void> {
    this.#sync();
    await this.#disk.syncDirectory();
  }

  #file(file: LogFile): LogFile {
    return {
      get sizeBytes() {
        return file.sizeBytes;
      },
      write: async (offset, bytes) => {
        try {
          this.#count('EIO', 'ENOSPC');
        } catch (error) {
          await file.write(offset, bytes.subarray(0, bytes.length >> 1));
          throw error;
        }
        await file.write(offset, bytes);
      },
      sync: async () => {
        this.#sync();
        await file.sync();
      },
      read: (offset, lengthBytes) => {
        const isShort = this.#isDue('short read');
        this.#count('EIO');
        const bytes = file.read(offset, lengthBytes);
        return isShort ? bytes.subarray(0, bytes.length >> 1) : bytes;
      },
      truncate: async (sizeBytes) => {
        this.#count('EIO');
        await file.truncate(sizeBytes);
      },
      close: () => file.close(),
    };
  }

  #sync(): void {
    try {
      this.#count('EIO', 'ENOSPC');
    } catch (error) {
      throw new StoreError('DISK_FENCED', {}, error);
    }
  }

  #isDue(failure: DiskFailure): boolean {
    if (this.#failure !== failure || this.#operations + 1 !== this.#nth) return false;
    this.hasFailed = true;
    return true;
  }

  #count(...possible: readonly DiskFailure[]): void {
    const failure = possible.find((each) => this.#isDue(each));
    this.#operations += 1;
    if (failure !== undefined) throw Object.assign(new Error(failure), { code: failure });
  }

  get operations(): number {
    return this.#operations;
  }
}
