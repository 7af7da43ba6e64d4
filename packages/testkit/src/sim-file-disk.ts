import { StoreError } from '@azimuth/common';
import type { Random } from '@azimuth/common';

import type { VirtualClock } from './virtual-clock';

interface Write {
  readonly offset: number;
  /** Null: the file was cut (or grew with zeros) to `offset` bytes. */
  readonly bytes: Buffer | null;
}

class Inode {
  durable: Buffer = Buffer.alloc(0);
  current: Buffer = Buffer.alloc(0);
  unsynced: Write[] = [];
}

type DirectoryChange =
  | { readonly type: 'link'; readonly name: string; readonly inode: Inode }
  | { readonly type: 'unlink'; readonly name: string };

/** A file of {@link SimFileDisk}; the shape that logs and stores take. */
export interface SimFile {
  readonly sizeBytes: number;
  write(offset: number, bytes: Buffer): Promise<void>;
  sync(): Promise<void>;
  read(offset: number, lengthBytes: number): Buffer;
  truncate(sizeBytes: number): Promise<void>;
  close(): Promise<void>;
}

export interface SimMount {
  list(): Promise<readonly string[]>;
  open(name: string): Promise<SimFile>;
  remove(name: string): Promise<void>;
  rename(source: string, target: string): Promise<void>;
  syncDirectory(): Promise<void>;
}

const SECTOR_BYTES = 512;

/**
 * A flat directory with a page cache: what is not synced may be lost, torn at a sector or kept,
 * each write on its own, when the power fails. A killed process loses nothing that it wrote.
 */
export class SimFileDisk {
  readonly #clock: VirtualClock;
  readonly #random: Random;
  #names = new Map<string, Inode>();
  #durableNames = new Map<string, Inode>();
  #directoryChanges: DirectoryChange[] = [];
  #generation = 0;
  /** How long a sync takes. */
  syncMsMin = 0.5;
  syncMsMax = 4;
  /** The next sync fails, and what it should have made durable is gone from the cache's memory. */
  isNextSyncFailing = false;
  /** Names files whose sync does nothing, as if the caller had forgotten it. */
  isSyncForgotten: (name: string) => boolean = () => false;

  constructor(clock: VirtualClock, random: Random) {
    this.#clock = clock;
    this.#random = random;
  }

  /** The disk as one process sees it; after the process died, its calls never return. */
  mount(): SimMount {
    const generation = this.#generation;
    const turn = <T>(action: () => T, delayMs = 0.01): Promise<T> =>
      new Promise((resolve, reject) => {
        this.#clock.schedule(delayMs, () => {
          if (generation !== this.#generation) return;
          try {
            resolve(action());
          } catch (error) {
            reject(error instanceof Error ? error : new Error(String(error)));
          }
        });
      });
    return {
      list: () => turn(() => [...this.#names.keys()]),
      open: (name) => turn(() => this.#openFile(name, turn)),
      remove: (name) =>
        turn(() => {
          if (this.#names.delete(name)) this.#directoryChanges.push({ type: 'unlink', name });
        }),
      rename: (source, target) =>
        turn(() => {
          const inode = this.#names.get(source);
          if (inode === undefined) throw new Error(`ENOENT ${source}`);
          this.#names.delete(source);
          this.#names.set(target, inode);
          this.#directoryChanges.push({ type: 'unlink', name: source });
          this.#directoryChanges.push({ type: 'link', name: target, inode });
        }),
      syncDirectory: () =>
        turn(() => {
          this.#durableNames = new Map(this.#names);
          this.#directoryChanges = [];
        }, this.#syncMs()),
    };
  }

  /** Kills the process that has the disk mounted; with `power`, the page cache goes too. */
  crash(kind: 'process' | 'power'): void {
    this.#generation += 1;
    if (kind === 'process') return;
    // Directory changes reach the journal in order.
    const kept = this.#random.below(this.#directoryChanges.length + 1);
    for (const change of this.#directoryChanges.slice(0, kept)) {
      if (change.type === 'link') this.#durableNames.set(change.name, change.inode);
      else this.#durableNames.delete(change.name);
    }
    this.#directoryChanges = [];
    const inodes = new Set([...this.#names.values(), ...this.#durableNames.values()]);
    this.#names = new Map(this.#durableNames);
    for (const inode of inodes) this.#losePower(inode);
  }

  /** An empty disk takes the place of this one; the process that had it must be dead. */
  replace(): void {
    this.#names.clear();
    this.#durableNames.clear();
    this.#directoryChanges = [];
  }

  /** Turns one bit over, as a rotten medium does. False when the file is shorter. */
  flip(name: string, offset: number, mask = 1): boolean {
    const inode = this.#names.get(name);
    if (inode === undefined || offset >= inode.current.length) return false;
    inode.current = Buffer.from(inode.current);
    inode.current.writeUInt8(inode.current.readUInt8(offset) ^ mask, offset);
    if (offset < inode.durable.length) {
      inode.durable = Buffer.from(inode.durable);
      inode.durable.writeUInt8(inode.durable.readUInt8(offset) ^ mask, offset);
    }
    return true;
  }

  /** Sizes by name. */
  sizes(): ReadonlyMap<string, number> {
    return new Map([...this.#names].map(([name, inode]) => [name, inode.current.length]));
  }

  /** The bytes of a file now. */
  contents(name: string): Buffer {
    return Buffer.from(this.#names.get(name)?.current ?? Buffer.alloc(0));
  }

  /** Replaces a file, durably; for tests that enumerate damages. */
  put(name: string, bytes: Buffer): void {
    const inode = new Inode();
    inode.durable = Buffer.from(bytes);
    inode.current = inode.durable;
    this.#names.set(name, inode);
    this.#durableNames.set(name, inode);
  }

  #inode(name: string): Inode {
    let inode = this.#names.get(name);
    if (inode === undefined) {
      inode = new Inode();
      this.#names.set(name, inode);
      this.#directoryChanges.push({ type: 'link', name, inode });
    }
    return inode;
  }

  #openFile(name: string, turn: <T>(action: () => T, delayMs?: number) => Promise<T>): SimFile {
    const inode = this.#inode(name);
    const apply = (write: Write): void => {
      inode.current = applyWrite(inode.current, write);
      inode.unsynced.push(write);
    };
    return {
      get sizeBytes() {
        return inode.current.length;
      },
      write: (offset, bytes) => {
        const copy = Buffer.from(bytes);
        return turn(() => apply({ offset, bytes: copy }), 0.02);
      },
      truncate: (sizeBytes) => turn(() => apply({ offset: sizeBytes, bytes: null })),
      sync: () => {
        // What is written before the call is covered; what comes during it is not.
        const covered = this.isSyncForgotten(name) ? 0 : inode.unsynced.length;
        return turn(() => {
          if (this.isNextSyncFailing) {
            this.isNextSyncFailing = false;
            inode.unsynced.splice(0, covered);
            throw new StoreError('DISK_FENCED', { errno: 'EIO' });
          }
          for (const write of inode.unsynced.splice(0, covered)) {
            inode.durable = applyWrite(inode.durable, write);
          }
        }, this.#syncMs());
      },
      read: (offset, lengthBytes) =>
        Buffer.from(inode.current.subarray(offset, offset + lengthBytes)),
      close: () => Promise.resolve(),
    };
  }

  #losePower(inode: Inode): void {
    for (const write of inode.unsynced) {
      const fate = this.#random.below(3);
      if (fate === 0) continue;
      if (fate === 1 && write.bytes !== null) {
        const sectors = Math.ceil(write.bytes.length / SECTOR_BYTES);
        const keepBytes =
          this.#random.below(2) === 0
            ? this.#random.below(sectors + 1) * SECTOR_BYTES
            : this.#random.below(write.bytes.length + 1);
        const bytes = write.bytes.subarray(0, keepBytes);
        inode.durable = applyWrite(inode.durable, { offset: write.offset, bytes });
      } else inode.durable = applyWrite(inode.durable, write);
    }
    inode.unsynced = [];
    inode.current = inode.durable;
  }

  #syncMs(): number {
    return this.syncMsMin + this.#random.next() * (this.syncMsMax - this.syncMsMin);
  }
}

function applyWrite(target: Buffer, { offset, bytes }: Write): Buffer {
  if (bytes === null) {
    const cut = Buffer.alloc(offset);
    target.copy(cut, 0, 0, offset);
    return cut;
  }
  const result = Buffer.alloc(Math.max(target.length, offset + bytes.length));
  target.copy(result);
  bytes.copy(result, offset);
  return result;
}
