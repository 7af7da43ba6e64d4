/**
 * The part of a file system that the store needs, so that the same code runs on real files and on a
 * simulated disk that loses, tears and flips bytes. Paths are relative to the disk's directory,
 * with `/` between names; the empty path is that directory. Failures are errors with the system's
 * `code`: ENOENT, EEXIST, EIO, ENOSPC.
 *
 * What survives a power cut: bytes of a file only after `datasync`; its name only after
 * `syncDirectory` of the directory that holds it.
 */
export interface Disk {
  open(path: string, mode: OpenMode): Promise<DiskFile>;
  rename(from: string, to: string): Promise<void>;
  unlink(path: string): Promise<void>;
  /** Names in a directory, ascending. */
  list(directory: string): Promise<string[]>;
  /** Makes a directory; one that exists is left as it is. */
  makeDirectory(path: string): Promise<void>;
  syncDirectory(path: string): Promise<void>;
  /** Makes the name of the disk's own directory durable. */
  syncParent(): Promise<void>;
  freeSpace(): Promise<FreeSpace>;
}

/**
 * `create` makes a file that must not exist yet; `write` opens an existing one. `create-uncached` is
 * `create` for bytes that nobody reads soon: where the file system can, aligned writes from
 * `AlignedBuffers` go from there to the disk without a copy in the page cache.
 */
export type OpenMode = 'read' | 'create' | 'create-uncached' | 'write';

export interface FreeSpace {
  readonly capacityBytes: number;
  readonly freeBytes: number;
}

export interface DiskFile {
  /** Writes all of `buffers`, one after the other, from `offsetBytes` on. */
  write(buffers: readonly Uint8Array[], offsetBytes: number): Promise<void>;
  /** Fills `target` from `offsetBytes`; returns the bytes read, fewer only at the end of the file. */
  read(target: Uint8Array, offsetBytes: number): Promise<number>;
  /** Resolves when all writes before the call would survive a power cut. */
  datasync(): Promise<void>;
  truncate(sizeBytes: number): Promise<void>;
  size(): Promise<number>;
  close(): Promise<void>;
}

/** True for a failed system call with this `code`. */
export function isSystemError(error: unknown, code: string): boolean {
  return typeof error === 'object' && error !== null && 'code' in error && error.code === code;
}

/** Reads a small file whole. */
export async function readWhole(disk: Disk, path: string, sizeBytesMax: number): Promise<Buffer> {
  const file = await disk.open(path, 'read');
  try {
    const bytes = Buffer.alloc(Math.min(await file.size(), sizeBytesMax));
    return bytes.subarray(0, await file.read(bytes, 0));
  } finally {
    await file.close();
  }
}
