import type { Random } from '@azimuth/common';
import type { Disk, DiskFile, FreeSpace, OpenMode } from '@azimuth/storage-node';

export interface SimDiskOptions {
  readonly random: Random;
  /** Default 1 GiB. */
  readonly capacityBytes?: number;
}

/** A failure that is due. Operations that change something are counted from 1. */
export interface SimFault {
  readonly atOperation: number;
  /**
   * `crash`: the operation happens in part and everything after it fails, until `powerLoss` or
   * `kill`. `EIO`, `ENOSPC`: it fails; of a failed sync nothing becomes durable, then or later.
   */
  readonly kind: 'crash' | 'EIO' | 'ENOSPC';
  /** Only operations of this kind are counted; all when left out. */
  readonly of?: SimOperation;
}

export type SimOperation = 'create' | 'write' | 'sync' | 'truncate' | 'name' | 'syncDirectory';

interface Inode {
  content: Buffer;
  sizeBytes: number;
  durable: Buffer;
  /** Writes and cuts since the last sync, in order. */
  unsynced: Change[];
}

type Change =
  | { readonly kind: 'write'; readonly offsetBytes: number; readonly bytes: Buffer }
  | { readonly kind: 'truncate'; readonly sizeBytes: number };

type NameChange =
  | { readonly kind: 'link'; readonly path: string; readonly inode: Inode }
  | { readonly kind: 'unlink'; readonly path: string };

const SECTOR_BYTES = 512;

/**
 * A disk with a page cache, as the `Disk` of a storage node. What was not synced is lost, kept or
 * torn at a sector when the power fails, each write on its own; a killed process loses nothing it
 * wrote.
 */
export class SimDisk implements Disk {
  readonly #random: Random;
  readonly #capacityBytes: number;
  readonly #counts = new Map<SimOperation | 'all', number>();
  #names = new Map<string, Inode>();
  #durableNames = new Map<string, Inode>();
  #nameChanges: NameChange[] = [];
  readonly #directories = new Set<string>(['']);
  #faults: SimFault[] = [];
  #generation = 0;
  #isCrashed = false;

  constructor(options: SimDiskOptions) {
    this.#random = options.random;
    this.#capacityBytes = options.capacityBytes ?? 1024 ** 3;
  }

  /** Changing operations so far. */
  get operationCount(): number {
    return this.#counts.get('all') ?? 0;
  }

  get isCrashed(): boolean {
    return this.#isCrashed;
  }

  /** Counts from now on: operation 1 is the next one. */
  inject(...faults: SimFault[]): void {
    this.#counts.clear();
    this.#faults = faults;
  }

  /** The machine loses its power and starts again. Open files are gone. */
  powerLoss(): void {
    const survivors = new Map(this.#durableNames);
    for (const change of this.#nameChanges) {
      // A journal keeps the order of the changes that it keeps, but not necessarily all of them.
      if (this.#random.below(2) === 0) applyName(survivors, change);
    }
    this.#nameChanges = [];
    this.#names = survivors;
    this.#durableNames = new Map(survivors);
    for (const inode of new Set(survivors.values())) this.#losePower(inode);
    this.#restart();
  }

  /** The process dies; the page cache lives on. */
  kill(): void {
    this.#restart();
  }

  /** Flips bits of a byte on the platter. */
  flip(path: string, offsetBytes: number, mask = 0x01): void {
    const inode = this.#inode(path);
    for (const bytes of [inode.content, inode.durable]) {
      if (offsetBytes < bytes.byteLength) {
        bytes.writeUInt8(bytes.readUInt8(offsetBytes) ^ mask, offsetBytes);
      }
    }
  }

  /** A copy of what a file holds now. */
  contentOf(path: string): Buffer {
    const inode = this.#inode(path);
    return Buffer.from(inode.content.subarray(0, inode.sizeBytes));
  }

  /** Replaces a file as if it had always been so. */
  replace(path: string, content: Uint8Array): void {
    const inode: Inode = {
      content: Buffer.from(content),
      sizeBytes: content.byteLength,
      durable: Buffer.from(content),
      unsynced: [],
    };
    this.#names.set(path, inode);
    this.#durableNames.set(path, inode);
  }

  paths(): string[] {
    return [...this.#names.keys()].sort();
  }

  async open(path: string, mode: OpenMode): Promise<DiskFile> {
    this.#requirePower();
    if (mode.startsWith('create')) {
      if (this.#names.has(path)) throw systemError('EEXIST', path);
      this.#count('create');
      const inode: Inode = {
        content: Buffer.alloc(0),
        sizeBytes: 0,
        durable: Buffer.alloc(0),
        unsynced: [],
      };
      this.#changeName({ kind: 'link', path, inode });
    }
    await Promise.resolve();
    return this.#fileOf(this.#inode(path));
  }

  async rename(from: string, to: string): Promise<void> {
    this.#count('name');
    const inode = this.#inode(from);
    this.#changeName({ kind: 'link', path: to, inode });
    this.#changeName({ kind: 'unlink', path: from });
    await Promise.resolve();
  }

  async unlink(path: string): Promise<void> {
    this.#requirePower();
    this.#inode(path);
    this.#count('name');
    this.#changeName({ kind: 'unlink', path });
    await Promise.resolve();
  }

  async list(directory: string): Promise<string[]> {
    this.#requirePower();
    const prefix = directory === '' ? '' : `${directory}/`;
    const names = new Set<string>();
    for (const path of [...this.#names.keys(), ...this.#directories]) {
      if (path === directory || !path.startsWith(prefix)) continue;
      names.add(path.slice(prefix.length).split('/')[0] ?? '');
    }
    await Promise.resolve();
    return [...names].sort();
  }

  async makeDirectory(path: string): Promise<void> {
    this.#requirePower();
    this.#directories.add(path);
    await Promise.resolve();
  }

  async syncDirectory(path: string): Promise<void> {
    this.#count('syncDirectory');
    const isIn = (change: NameChange): boolean => directoryOf(change.path) === path;
    for (const change of this.#nameChanges.filter(isIn)) applyName(this.#durableNames, change);
    this.#nameChanges = this.#nameChanges.filter((change) => !isIn(change));
    await Promise.resolve();
  }

  async syncParent(): Promise<void> {
    this.#count('syncDirectory');
    await Promise.resolve();
  }

  async freeSpace(): Promise<FreeSpace> {
    this.#requirePower();
    await Promise.resolve();
    const freeBytes = Math.max(0, this.#capacityBytes - this.#usedBytes());
    return { capacityBytes: this.#capacityBytes, freeBytes };
  }

  #fileOf(inode: Inode): DiskFile {
    const generation = this.#generation;
    const requireOpen = (): void => {
      if (generation !== this.#generation) throw systemError('EBADF', 'file of an earlier life');
    };
    return {
      write: async (buffers, offsetBytes) => {
        requireOpen();
        const bytes = Buffer.concat(buffers);
        this.#write(inode, offsetBytes, bytes);
        await Promise.resolve();
      },
      read: async (target, offsetBytes) => {
        requireOpen();
        this.#requirePower();
        await Promise.resolve();
        const end = Math.min(inode.sizeBytes, offsetBytes + target.byteLength);
        if (end <= offsetBytes) return 0;
        target.set(inode.content.subarray(offsetBytes, end));
        return end - offsetBytes;
      },
      datasync: async () => {
        requireOpen();
        try {
          this.#count('sync');
        } catch (error) {
          // As Linux does: the pages are marked clean although they never reached the disk.
          if (!this.#isCrashed) inode.unsynced = [];
          throw error;
        }
        for (const change of inode.unsynced) inode.durable = applyChange(inode.durable, change);
        inode.unsynced = [];
        await Promise.resolve();
      },
      truncate: async (sizeBytes) => {
        requireOpen();
        this.#count('truncate');
        this.#change(inode, { kind: 'truncate', sizeBytes });
        await Promise.resolve();
      },
      size: async () => {
        requireOpen();
        this.#requirePower();
        await Promise.resolve();
        return inode.sizeBytes;
      },
      close: () => Promise.resolve(),
    };
  }

  #write(inode: Inode, offsetBytes: number, bytes: Buffer): void {
    const grownBytes = Math.max(0, offsetBytes + bytes.byteLength - inode.sizeBytes);
    try {
      this.#count('write');
    } catch (error) {
      const part = bytes.subarray(0, this.#random.below(bytes.byteLength + 1));
      if (part.byteLength > 0) {
        this.#change(inode, { kind: 'write', offsetBytes, bytes: Buffer.from(part) });
      }
      throw error;
    }
    if (this.#usedBytes() + grownBytes > this.#capacityBytes) throw systemError('ENOSPC', 'write');
    this.#change(inode, { kind: 'write', offsetBytes, bytes });
  }

  #change(inode: Inode, change: Change): void {
    inode.unsynced.push(change);
    if (change.kind === 'truncate') {
      inode.content = applyChange(inode.content.subarray(0, inode.sizeBytes), change);
      inode.sizeBytes = change.sizeBytes;
      return;
    }
    const endBytes = change.offsetBytes + change.bytes.byteLength;
    if (endBytes > inode.content.byteLength) {
      const grown = Buffer.alloc(Math.max(endBytes, inode.content.byteLength * 2));
      inode.content.copy(grown, 0, 0, inode.sizeBytes);
      inode.content = grown;
    }
    change.bytes.copy(inode.content, change.offsetBytes);
    inode.sizeBytes = Math.max(inode.sizeBytes, endBytes);
  }

  #changeName(change: NameChange): void {
    this.#nameChanges.push(change);
    applyName(this.#names, change);
  }

  #losePower(inode: Inode): void {
    for (const change of inode.unsynced) {
      const survived = this.#surviving(change);
      if (survived !== null) inode.durable = applyChange(inode.durable, survived);
    }
    inode.unsynced = [];
    inode.content = Buffer.from(inode.durable);
    inode.sizeBytes = inode.durable.byteLength;
  }

  /** All of a change, none of it, or the sectors of a write up to or from some point. */
  #surviving(change: Change): Change | null {
    const fate = this.#random.below(4);
    if (fate === 0) return null;
    if (fate === 1 || change.kind === 'truncate') return change;
    const sectors = Math.ceil(change.bytes.byteLength / SECTOR_BYTES);
    const at = this.#random.below(sectors + 1) * SECTOR_BYTES;
    if (fate === 2) return { ...change, bytes: change.bytes.subarray(0, at) };
    const offsetBytes = change.offsetBytes + at;
    return { ...change, offsetBytes, bytes: change.bytes.subarray(at) };
  }

  #count(operation: SimOperation): void {
    this.#requirePower();
    for (const key of ['all', operation] as const) {
      this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
    }
    const fault = this.#faults.find(
      ({ of, atOperation }) =>
        (of === undefined || of === operation) && this.#counts.get(of ?? 'all') === atOperation,
    );
    if (fault === undefined) return;
    if (fault.kind === 'crash') this.#isCrashed = true;
    throw systemError(fault.kind === 'crash' ? 'ESHUTDOWN' : fault.kind, operation);
  }

  #requirePower(): void {
    if (this.#isCrashed) throw systemError('ESHUTDOWN', 'no power');
  }

  #restart(): void {
    this.#generation += 1;
    this.#isCrashed = false;
    this.#faults = [];
  }

  #usedBytes(): number {
    let bytes = 0;
    for (const inode of new Set(this.#names.values())) bytes += inode.sizeBytes;
    return bytes;
  }

  #inode(path: string): Inode {
    const inode = this.#names.get(path);
    if (inode === undefined) throw systemError('ENOENT', path);
    return inode;
  }
}

function applyName(names: Map<string, Inode>, change: NameChange): void {
  if (change.kind === 'link') names.set(change.path, change.inode);
  else names.delete(change.path);
}

function applyChange(content: Buffer, change: Change): Buffer {
  if (change.kind === 'truncate') {
    const cut = Buffer.alloc(change.sizeBytes);
    content.copy(cut);
    return cut;
  }
  const endBytes = change.offsetBytes + change.bytes.byteLength;
  const result = Buffer.alloc(Math.max(content.byteLength, endBytes));
  content.copy(result);
  change.bytes.copy(result, change.offsetBytes);
  return result;
}

function directoryOf(path: string): string {
  const slash = path.lastIndexOf('/');
  return slash < 0 ? '' : path.slice(0, slash);
}

function systemError(code: string, what: string): Error {
  return Object.assign(new Error(`${code}: ${what}`), { code });
}
