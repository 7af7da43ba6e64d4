import type { Clock, FaultSource } from '@azimuth/common';

import type { Disk, DiskFile, FreeSpace, OpenMode } from './disk';

/** A sync needs no space, and one that fails says that what was written is lost. */
type Access = 'read' | 'write' | 'sync';

export interface DiskFaultOptions {
  readonly faults: FaultSource;
  readonly clock: Clock;
}

/** A disk that is slow, full or failing when the faults of the process say so. */
export class FaultyDisk implements Disk {
  readonly #disk: Disk;
  readonly #options: DiskFaultOptions;

  constructor(disk: Disk, options: DiskFaultOptions) {
    this.#disk = disk;
    this.#options = options;
  }

  async open(path: string, mode: OpenMode): Promise<DiskFile> {
    await suffer(mode === 'read' ? 'read' : 'write', this.#options);
    return new FaultyFile(await this.#disk.open(path, mode), this.#options);
  }

  async rename(from: string, to: string): Promise<void> {
    await suffer('write', this.#options);
    await this.#disk.rename(from, to);
  }

  /** Frees space, so a full disk allows it. */
  unlink(path: string): Promise<void> {
    return this.#disk.unlink(path);
  }

  list(directory: string): Promise<string[]> {
    return this.#disk.list(directory);
  }

  async makeDirectory(path: string): Promise<void> {
    await suffer('write', this.#options);
    await this.#disk.makeDirectory(path);
  }

  async syncDirectory(path: string): Promise<void> {
    await suffer('sync', this.#options);
    await this.#disk.syncDirectory(path);
  }

  syncParent(): Promise<void> {
    return this.#disk.syncParent();
  }

  async freeSpace(): Promise<FreeSpace> {
    const space = await this.#disk.freeSpace();
    return this.#options.faults.current().isDiskFull ? { ...space, freeBytes: 0 } : space;
  }
}

class FaultyFile implements DiskFile {
  readonly #file: DiskFile;
  readonly #options: DiskFaultOptions;

  constructor(file: DiskFile, options: DiskFaultOptions) {
    this.#file = file;
    this.#options = options;
  }

  async write(buffers: readonly Uint8Array[], offsetBytes: number): Promise<void> {
    await suffer('write', this.#options);
    await this.#file.write(buffers, offsetBytes);
  }

  async read(target: Uint8Array, offsetBytes: number): Promise<number> {
    await suffer('read', this.#options);
    return this.#file.read(target, offsetBytes);
  }

  async datasync(): Promise<void> {
    await suffer('sync', this.#options);
    await this.#file.datasync();
  }

  async truncate(sizeBytes: number): Promise<void> {
    await suffer('write', this.#options);
    await this.#file.truncate(sizeBytes);
  }

  size(): Promise<number> {
    return this.#file.size();
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}

/** @throws an error with `code` EIO or ENOSPC, as the system would. */
async function suffer(access: Access, { faults, clock }: DiskFaultOptions): Promise<void> {
  const { diskDelayMs, diskErrors, isDiskFull } = faults.current();
  if (diskDelayMs > 0) await clock.sleep(diskDelayMs);
  const isWriting = access !== 'read';
  if (diskErrors === 'all' || diskErrors === (isWriting ? 'write' : 'read'))
    throw systemError('EIO', 'i/o error');
  if (isDiskFull && access === 'write') throw systemError('ENOSPC', 'no space left on device');
}

function systemError(code: string, text: string): Error {
  return Object.assign(new Error(`${code}: ${text} (injected)`), { code });
}
