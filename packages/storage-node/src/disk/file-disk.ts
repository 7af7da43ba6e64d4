import * as fs from 'node:fs';
import { dirname, join } from 'node:path';

import type { Disk, DiskFile, FreeSpace, OpenMode } from './disk';

const OPEN_FLAGS: Readonly<Record<OpenMode, number>> = {
  read: fs.constants.O_RDONLY,
  create: fs.constants.O_RDWR | fs.constants.O_CREAT | fs.constants.O_EXCL,
  write: fs.constants.O_RDWR,
};

/** The real file system under `root`, which must exist. */
export class FileDisk implements Disk {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  async open(path: string, mode: OpenMode): Promise<DiskFile> {
    const descriptor = await new Promise<number>((resolve, reject) => {
      fs.open(join(this.#root, path), OPEN_FLAGS[mode], 0o640, (error, fd) => {
        if (error === null) resolve(fd);
        else reject(error);
      });
    });
    return new OpenFile(descriptor);
  }

  rename(from: string, to: string): Promise<void> {
    return fs.promises.rename(join(this.#root, from), join(this.#root, to));
  }

  unlink(path: string): Promise<void> {
    return fs.promises.unlink(join(this.#root, path));
  }

  async list(directory: string): Promise<string[]> {
    return (await fs.promises.readdir(join(this.#root, directory))).sort();
  }

  async makeDirectory(path: string): Promise<void> {
    await fs.promises.mkdir(join(this.#root, path), { recursive: true, mode: 0o750 });
  }

  syncDirectory(path: string): Promise<void> {
    return syncDirectoryAt(join(this.#root, path));
  }

  syncParent(): Promise<void> {
    return syncDirectoryAt(dirname(this.#root));
  }

  async freeSpace(): Promise<FreeSpace> {
    const stats = await fs.promises.statfs(this.#root);
    return { capacityBytes: stats.blocks * stats.bsize, freeBytes: stats.bavail * stats.bsize };
  }
}

async function syncDirectoryAt(path: string): Promise<void> {
  const handle = await fs.promises.open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/**
 * Plain descriptors and callbacks: a FileHandle costs an extra object and promise for each call,
 * which shows at one call per shard page run.
 */
class OpenFile implements DiskFile {
  readonly #descriptor: number;

  constructor(descriptor: number) {
    this.#descriptor = descriptor;
  }

  async write(buffers: readonly Uint8Array[], offsetBytes: number): Promise<void> {
    let rest = buffers;
    let position = offsetBytes;
    while (rest.length > 0) {
      const written = await this.#writeOnce(rest, position);
      position += written;
      rest = dropBytes(rest, written);
    }
  }

  #writeOnce(buffers: readonly Uint8Array[], position: number): Promise<number> {
    return new Promise((resolve, reject) => {
      fs.writev(this.#descriptor, buffers, position, (error, written) => {
        if (error === null) resolve(written);
        else reject(error);
      });
    });
  }

  async read(target: Uint8Array, offsetBytes: number): Promise<number> {
    let filled = 0;
    while (filled < target.byteLength) {
      const read = await this.#readOnce(target, filled, offsetBytes + filled);
      if (read === 0) break;
      filled += read;
    }
    return filled;
  }

  #readOnce(target: Uint8Array, from: number, position: number): Promise<number> {
    return new Promise((resolve, reject) => {
      const length = target.byteLength - from;
      fs.read(this.#descriptor, target, from, length, position, (error, read) => {
        if (error === null) resolve(read);
        else reject(error);
      });
    });
  }

  datasync(): Promise<void> {
    return this.#call((callback) => fs.fdatasync(this.#descriptor, callback));
  }

  truncate(sizeBytes: number): Promise<void> {
    return this.#call((callback) => fs.ftruncate(this.#descriptor, sizeBytes, callback));
  }

  size(): Promise<number> {
    return new Promise((resolve, reject) => {
      fs.fstat(this.#descriptor, (error, stats) => {
        if (error === null) resolve(stats.size);
        else reject(error);
      });
    });
  }

  close(): Promise<void> {
    return this.#call((callback) => fs.close(this.#descriptor, callback));
  }

  #call(start: (callback: (error: NodeJS.ErrnoException | null) => void) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      start((error) => {
        if (error == null) resolve();
        else reject(error);
      });
    });
  }
}

/** What is left of `buffers` after their first `count` bytes. */
function dropBytes(buffers: readonly Uint8Array[], count: number): readonly Uint8Array[] {
  let skip = count;
  for (const [index, buffer] of buffers.entries()) {
    if (skip < buffer.byteLength) return [buffer.subarray(skip), ...buffers.slice(index + 1)];
    skip -= buffer.byteLength;
  }
  return [];
}
