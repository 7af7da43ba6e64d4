import { readSync, fstatSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { mkdir, open, readdir, rename, rm, constants } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { StoreError } from '@azimuth/common';

import type { LogDisk, LogFile } from './log-disk';

/** {@link LogDisk} over a directory, which is created, durably, when it does not exist. */
export async function openFileLogDisk(directory: string): Promise<LogDisk> {
  const created = await mkdir(directory, { recursive: true });
  if (created !== undefined) {
    // Each new level has to be entered into its parent (pitfall 7).
    for (let at = directory; at.length >= created.length; at = dirname(at)) {
      await syncDirectoryAt(dirname(at));
    }
  }
  return {
    list: () => readdir(directory),
    open: async (name) => new FileLogFile(await openForUpdate(join(directory, name))),
    remove: (name) => rm(join(directory, name), { force: true }),
    rename: (source, target) => rename(join(directory, source), join(directory, target)),
    syncDirectory: () => syncDirectoryAt(directory),
  };
}

function openForUpdate(path: string): Promise<FileHandle> {
  return open(path, constants.O_RDWR | constants.O_CREAT, 0o600);
}

async function syncDirectoryAt(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await fencing(handle.sync());
  } finally {
    await handle.close();
  }
}

/** A failed sync may have dropped the pages, and the next one would succeed without them. */
async function fencing(sync: Promise<void>): Promise<void> {
  try {
    await sync;
  } catch (error) {
    throw new StoreError('DISK_FENCED', {}, error);
  }
}

class FileLogFile implements LogFile {
  readonly #handle: FileHandle;
  #sizeBytes: number;

  constructor(handle: FileHandle) {
    this.#handle = handle;
    this.#sizeBytes = fstatSync(handle.fd).size;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  async write(offset: number, bytes: Buffer): Promise<void> {
    let written = 0;
    while (written < bytes.length) {
      const result = await this.#handle.write(
        bytes,
        written,
        bytes.length - written,
        offset + written,
      );
      written += result.bytesWritten;
    }
    this.#sizeBytes = Math.max(this.#sizeBytes, offset + bytes.length);
  }

  sync(): Promise<void> {
    return fencing(this.#handle.datasync());
  }

  read(offset: number, lengthBytes: number): Buffer {
    const target = Buffer.allocUnsafe(Math.max(0, Math.min(lengthBytes, this.#sizeBytes - offset)));
    let filled = 0;
    while (filled < target.length) {
      const count = readSync(
        this.#handle.fd,
        target,
        filled,
        target.length - filled,
        offset + filled,
      );
      if (count === 0) break;
      filled += count;
    }
    return target.subarray(0, filled);
  }

  async truncate(sizeBytes: number): Promise<void> {
    await this.#handle.truncate(sizeBytes);
    this.#sizeBytes = sizeBytes;
  }

  close(): Promise<void> {
    return this.#handle.close();
  }
}
