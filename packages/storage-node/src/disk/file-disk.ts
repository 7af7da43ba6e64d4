import * as fs from 'node:fs';
import { dirname, join } from 'node:path';

import { DIRECT_ALIGNMENT_BYTES } from './aligned-buffers';
import type { Disk, DiskFile, FreeSpace, OpenMode } from './disk';
import { isSystemError } from './disk';

const CREATE_FLAGS = fs.constants.O_RDWR | fs.constants.O_CREAT | fs.constants.O_EXCL;
const OPEN_FLAGS: Readonly<Record<OpenMode, number>> = {
  read: fs.constants.O_RDONLY,
  create: CREATE_FLAGS,
  'create-uncached': CREATE_FLAGS,
  write: fs.constants.O_RDWR,
};
/** Absent where the system has no such flag. */
const { O_DIRECT } = fs.constants as { readonly O_DIRECT?: number };

/** The real file system under `root`, which must exist. */
export class FileDisk implements Disk {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  async open(path: string, mode: OpenMode): Promise<DiskFile> {
    const fullPath = join(this.#root, path);
    const descriptor = await openDescriptor(fullPath, OPEN_FLAGS[mode]);
    if (mode !== 'create-uncached') return new OpenFile(descriptor, null);
    return new OpenFile(descriptor, await openDirect(fullPath));
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

function openDescriptor(path: string, flags: number): Promise<number> {
  return new Promise((resolve, reject) => {
    fs.open(path, flags, 0o640, (error, descriptor) => {
      if (error === null) resolve(descriptor);
      else reject(error);
    });
  });
}

/** Null where the file system knows no direct writes (EINVAL), or for any other reason: it is a hint. */
async function openDirect(path: string): Promise<number | null> {
  if (O_DIRECT === undefined) return null;
  try {
    return await openDescriptor(path, fs.constants.O_WRONLY | O_DIRECT);
  } catch {
    return null;
  }
}

/** Plain descriptors here too: the directory of segments is synced with every large shard. */
async function syncDirectoryAt(path: string): Promise<void> {
  const descriptor = await openDescriptor(path, fs.constants.O_RDONLY);
  try {
    await call((callback) => fs.fsync(descriptor, callback));
  } finally {
    await call((callback) => fs.close(descriptor, callback));
  }
}

function call(start: (callback: (error: Error | null) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    start((error) => {
      if (error == null) resolve();
      else reject(error);
    });
  });
}

/**
 * Plain descriptors and callbacks: a FileHandle costs an extra object and promise for each call,
 * which shows at one call per shard page run.
 */
class OpenFile implements DiskFile {
  readonly #descriptor: number;
  /** The same file without page cache; null when there is none. A sync of either covers both. */
  #direct: number | null;

  constructor(descriptor: number, direct: number | null) {
    this.#descriptor = descriptor;
    this.#direct = direct;
  }

  write(buffers: readonly Uint8Array[], offsetBytes: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#writeRest(buffers, offsetBytes, (error) => {
        if (error === null) resolve();
        else reject(error);
      });
    });
  }

  #writeRest(
    buffers: readonly Uint8Array[],
    position: number,
    done: (error: Error | null) => void,
  ): void {
    const direct = isAligned(buffers, position) ? this.#direct : null;
    const onWritten = (error: Error | null, written: number): void => {
      if (error !== null && direct !== null && isSystemError(error, 'EINVAL')) {
        // This file system asks for more than our alignment.
        this.#direct = null;
        fs.close(direct, () => this.#writeRest(buffers, position, done));
      } else if (error !== null) {
        done(error);
      } else {
        const rest = dropBytes(buffers, written);
        if (rest.length === 0) done(null);
        else this.#writeRest(rest, position + written, done);
      }
    };
    const descriptor = direct ?? this.#descriptor;
    const [first] = buffers;
    if (first === undefined) done(null);
    else if (buffers.length > 1) fs.writev(descriptor, buffers, position, onWritten);
    else fs.write(descriptor, first, 0, first.byteLength, position, onWritten);
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
    return call((callback) => fs.fdatasync(this.#descriptor, callback));
  }

  truncate(sizeBytes: number): Promise<void> {
    return call((callback) => fs.ftruncate(this.#descriptor, sizeBytes, callback));
  }

  size(): Promise<number> {
    return new Promise((resolve, reject) => {
      fs.fstat(this.#descriptor, (error, stats) => {
        if (error === null) resolve(stats.size);
        else reject(error);
      });
    });
  }

  async close(): Promise<void> {
    const direct = this.#direct;
    this.#direct = null;
    if (direct !== null) await this.#closeOne(direct);
    await this.#closeOne(this.#descriptor);
  }

  #closeOne(descriptor: number): Promise<void> {
    return call((callback) => fs.close(descriptor, callback));
  }
}

/** Of addresses only the offset in their memory is known: `AlignedBuffers` sees to the rest. */
function isAligned(buffers: readonly Uint8Array[], position: number): boolean {
  const isMultiple = (value: number): boolean => value % DIRECT_ALIGNMENT_BYTES === 0;
  return (
    isMultiple(position) &&
    buffers.every(({ byteOffset, byteLength }) => isMultiple(byteOffset) && isMultiple(byteLength))
  );
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
