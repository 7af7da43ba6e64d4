import { StoreError } from '@azimuth/common';

import type { LogIndex } from '../core/message';
import type { SnapshotMark } from '../core/ready';
import type { LogDisk } from '../disk/log-disk';

import { readSnapshotChunks, readSnapshotHeader, writeSnapshotFile } from './snapshot-file';
import type { SnapshotHeader } from './snapshot-file';

export type StoredSnapshot = Omit<SnapshotHeader, 'format' | 'endOffset'>;

/**
 * Snapshot files, `snapshot-<group>-<index>`. A file has the whole state, or what changed since an
 * earlier one, its base; a snapshot is a file and its bases down to a whole one.
 *
 * D1 A file is there, under its name, whole and durable or not at all.
 * D2 A base goes after those that it is the base of.
 */
export class SnapshotStore {
  readonly #disk: LogDisk;
  /** Ascending by index; of each the bases are there. */
  readonly #stored = new Map<string, StoredSnapshot[]>();

  private constructor(disk: LogDisk) {
    this.#disk = disk;
  }

  /** Finds what is there and removes what an interrupted write left. */
  static async open(disk: LogDisk): Promise<SnapshotStore> {
    const store = new SnapshotStore(disk);
    const found: { group: string; snapshot: StoredSnapshot }[] = [];
    for (const name of await disk.list()) {
      if (name.endsWith('.part')) await disk.remove(name);
      const parsed = parseName(name);
      if (parsed === null) continue;
      const file = await disk.open(name);
      const header = readSnapshotHeader(file);
      await file.close();
      if (header?.index !== parsed.index) continue;
      const { index, term, baseIndex, configuration } = header;
      const snapshot = { index, term, baseIndex, configuration };
      found.push({ group: parsed.group, snapshot });
    }
    for (const { group, snapshot } of found.sort((a, b) => a.snapshot.index - b.snapshot.index)) {
      const isWhole = snapshot.baseIndex === null;
      if (isWhole || store.at(group, snapshot.baseIndex) !== null) store.#add(group, snapshot);
    }
    return store;
  }

  newest(group: string): StoredSnapshot | null {
    return this.#stored.get(group)?.at(-1) ?? null;
  }

  at(group: string, index: LogIndex): StoredSnapshot | null {
    return this.#stored.get(group)?.find((snapshot) => snapshot.index === index) ?? null;
  }

  /** The files that make up the snapshot up to `index`, the whole one first. */
  chain(group: string, index: LogIndex): readonly StoredSnapshot[] {
    const chain: StoredSnapshot[] = [];
    let next: LogIndex | null = index;
    while (next !== null) {
      const snapshot = this.at(group, next);
      if (snapshot === null) throw new StoreError('STATE_CORRUPT', { group, snapshot: next });
      chain.push(snapshot);
      next = snapshot.baseIndex;
    }
    return chain.reverse();
  }

  /** Durable when it resolves; older files stay until {@link removeOlder}. */
  async save(
    group: string,
    mark: SnapshotMark & { readonly baseIndex: LogIndex | null },
    chunks: AsyncIterable<Buffer>,
  ): Promise<StoredSnapshot> {
    const name = snapshotName(group, mark.index);
    const part = `${name}.part`;
    const file = await this.#disk.open(part);
    try {
      await file.truncate(0);
      await writeSnapshotFile(file, mark, chunks);
      await file.sync();
    } catch (error) {
      await file.close();
      await this.#disk.remove(part);
      throw error;
    }
    await file.close();
    await this.#disk.rename(part, name);
    await this.#disk.syncDirectory();
    this.#add(group, mark);
    return mark;
  }

  /**
   * The chunks of one file, as they were saved.
   *
   * @throws StoreError STATE_CORRUPT from the iteration when it does not match its checksums.
   */
  async *read(group: string, index: LogIndex): AsyncGenerator<Buffer> {
    const name = snapshotName(group, index);
    const file = await this.#disk.open(name);
    try {
      yield* readSnapshotChunks(file, name, index);
    } finally {
      await file.close();
    }
  }

  /** Removes every file of `group`, also those that cannot be read. */
  async removeAll(group: string): Promise<void> {
    await this.removeOlder(group, Number.MAX_SAFE_INTEGER);
  }

  /** D2 holds if `index` is that of a whole snapshot, or none is left. */
  async removeOlder(group: string, index: LogIndex): Promise<void> {
    const kept = this.#stored.get(group)?.filter((snapshot) => snapshot.index >= index) ?? [];
    this.#stored.set(group, kept);
    const names = (await this.#disk.list()).filter((name) => {
      const parsed = parseName(name);
      return parsed?.group === group && parsed.index < index;
    });
    for (const name of names.sort().reverse()) await this.#disk.remove(name);
  }

  #add(group: string, snapshot: StoredSnapshot): void {
    const others = this.#stored.get(group)?.filter(({ index }) => index !== snapshot.index) ?? [];
    this.#stored.set(
      group,
      [...others, snapshot].sort((a, b) => a.index - b.index),
    );
  }
}

function snapshotName(group: string, index: LogIndex): string {
  return `snapshot-${group}-${String(index).padStart(16, '0')}`;
}

function parseName(name: string): { group: string; index: LogIndex } | null {
  const match = /^snapshot-(.+)-(\d{16})$/.exec(name);
  return match === null ? null : { group: match[1] ?? '', index: Number(match[2]) };
}
