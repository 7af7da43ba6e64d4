import { StoreError } from '@azimuth/common';
import type { Clock, FaultSource } from '@azimuth/common';

import type { LogDisk, LogFile } from './log-disk';

export interface LogFaultOptions {
  readonly faults: FaultSource;
  readonly clock: Clock;
}

/** A log disk that is slow, full or failing when the faults of the process say so. */
export function faultyLogDisk(disk: LogDisk, options: LogFaultOptions): LogDisk {
  return {
    list: () => disk.list(),
    open: async (name) => new FaultyLogFile(await disk.open(name), options),
    remove: (name) => disk.remove(name),
    rename: (source, target) => disk.rename(source, target),
    async syncDirectory() {
      await suffer(options);
      await disk.syncDirectory();
    },
  };
}

class FaultyLogFile implements LogFile {
  readonly #file: LogFile;
  readonly #options: LogFaultOptions;

  constructor(file: LogFile, options: LogFaultOptions) {
    this.#file = file;
    this.#options = options;
  }

  get sizeBytes(): number {
    return this.#file.sizeBytes;
  }

  async write(offset: number, bytes: Buffer): Promise<void> {
    await suffer(this.#options);
    await this.#file.write(offset, bytes);
  }

  async sync(): Promise<void> {
    await suffer(this.#options);
    await this.#file.sync();
  }

  read(offset: number, lengthBytes: number): Buffer {
    return this.#file.read(offset, lengthBytes);
  }

  truncate(sizeBytes: number): Promise<void> {
    return this.#file.truncate(sizeBytes);
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}

/** @throws StoreError DISK_FENCED as a failed write or sync of the log does. */
async function suffer({ faults, clock }: LogFaultOptions): Promise<void> {
  const { diskDelayMs, diskErrors, isDiskFull } = faults.current();
  if (diskDelayMs > 0) await clock.sleep(diskDelayMs);
  const isFailing = diskErrors === 'write' || diskErrors === 'all';
  if (isFailing || isDiskFull) {
    throw new StoreError('DISK_FENCED', { injected: isFailing ? 'EIO' : 'ENOSPC' });
  }
}
