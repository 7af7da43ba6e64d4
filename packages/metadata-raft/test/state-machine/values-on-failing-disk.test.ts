import { seededRandom } from '@azimuth/common';
import { SimFileDisk, VirtualClock } from '@azimuth/testkit';

import type { LogDisk } from '../../src/disk/log-disk';
import { MemoryKeyValueStore } from '../../src/state-machine/memory-key-value-store';
import { SeparatedStore } from '../../src/state-machine/separated-store';
import { mergedChunks } from '../../src/state-machine/snapshot-merge';
import { FailingDisk } from '../log/failing-disk';
import type { DiskFailure } from '../log/failing-disk';
import { RamDisk } from '../log/ram-disk';
import { BUCKET_ID, draftOf, IndexDriver, inlineData, openIndex } from './index-fixture';
import type { IndexMachine } from './index-fixture';

const FILE_BYTES_MAX = 2_048;
const COMMANDS = 12;
const KEYS = 5;
const CUTS = 30;
const CUT_STEP_MS = 3;

interface Snapshot {
  readonly index: number;
  readonly parts: readonly (readonly Buffer[])[];
}

const textAt = (command: number): string => `${command}`.padEnd(700, '.');

async function* replay(chunks: readonly Buffer[]): AsyncGenerator<Buffer> {
  for (const chunk of chunks) yield await Promise.resolve(chunk);
}

/** One replica whose value files lie on `disk`; what it acknowledges is noted as it goes. */
class Story {
  readonly base: MemoryKeyValueStore;
  /** State hashes by applied index. */
  readonly hashes = new Map<number, string>();
  snapshot: Snapshot | null = null;
  machine: IndexMachine | null = null;

  constructor(base = new MemoryKeyValueStore()) {
    this.base = base;
  }

  async open(disk: LogDisk): Promise<IndexMachine> {
    const options = { base: this.base, disk, fileBytesMax: FILE_BYTES_MAX };
    this.machine = await openIndex(await SeparatedStore.open(options));
    return this.machine;
  }

  /** Overwrites a few keys, and makes snapshots: a whole one, of changes, a whole one again. */
  async run(disk: LogDisk): Promise<void> {
    const driver = new IndexDriver(await this.open(disk));
    for (let command = 1; command <= COMMANDS; command += 1) {
      const text = textAt(command);
      const key = `key-${command % KEYS}`;
      await driver.run('CommitVersion', {
        ...{ bucketId: BUCKET_ID, key, versioning: 'unversioned', precondition: null },
        ...{ draft: draftOf(key, text.length, 'e'), data: inlineData(text) },
      });
      this.hashes.set(driver.machine.lastApplied(), await driver.machine.stateHash());
      if (command % 3 === 0) await this.#makeSnapshot(driver.machine, command % 9 === 0);
    }
  }

  async #makeSnapshot(machine: IndexMachine, isWhole: boolean): Promise<void> {
    const before = isWhole ? null : this.snapshot;
    const made = await machine.createSnapshot(before?.index ?? null);
    const chunks: Buffer[] = [];
    for await (const chunk of made.chunks) chunks.push(Buffer.from(chunk));
    const isOfChanges = made.baseIndex !== null;
    const parts = isOfChanges ? [...(before?.parts ?? []), chunks] : [chunks];
    this.snapshot = { index: made.lastIncludedIndex, parts };
    if (!isOfChanges) await machine.releaseSnapshots(made.lastIncludedIndex);
  }
}

/**
 * Every body is the one that the state is about: a census reads and compares each. A command whose
 * end was not seen may be in the state.
 */
async function expectSound(machine: IndexMachine, hashes: Map<number, string>): Promise<void> {
  const index = machine.lastApplied();
  if (hashes.has(index)) expect(await machine.stateHash()).toBe(hashes.get(index));
  else expect(index === 0 || hashes.size === 0 || hashes.has(index - 1)).toBe(true);
  if (index === 0) return;
  machine.census.begin();
  const mark = await machine.census.read(() => Promise.resolve());
  expect(mark?.index).toBe(machine.lastApplied());
}

/** As after a power cut: nothing but the snapshot and what it refers to is believed. */
async function expectRestorable(story: Story, disk: LogDisk): Promise<void> {
  if (story.snapshot === null) return;
  const { index, parts } = story.snapshot;
  await story.base.clear();
  const machine = await story.open(disk);
  await machine.installSnapshot(index, mergedChunks(parts.map(replay)));
  await expectSound(machine, story.hashes);
}

/** A story that is cut short, a little later for each `cut`. */
async function crashedStory(cut: number, how: 'power' | 'process') {
  const clock = new VirtualClock();
  const disk = new SimFileDisk(clock, seededRandom(cut));
  const story = new Story();
  void story.run(disk.mount());
  await clock.runUntil(cut * CUT_STEP_MS);
  disk.crash(how);
  return { clock, disk, story };
}

describe('value files on a disk that fails', () => {
  it('a power cut at any time leaves what the newest snapshot refers to', async () => {
    const seen = new Set<number | undefined>();
    for (let cut = 0; cut < CUTS; cut += 1) {
      const { clock, disk, story } = await crashedStory(cut, 'power');
      seen.add(story.snapshot?.index);
      const checked = expectRestorable(story, disk.mount());
      await clock.runUntil(clock.monotonicMs() + 500);
      await checked;
    }
    expect(seen.size).toBe(1 + COMMANDS / 3);
  });

  it('a killed process finds the state that it left, whenever it dies', async () => {
    for (let cut = 0; cut < CUTS; cut += 1) {
      const { clock, disk, story } = await crashedStory(cut, 'process');
      const opened = story.open(disk.mount());
      await clock.runUntil(clock.monotonicMs() + 500);
      await expectSound(await opened, story.hashes);
    }
  });

  it.each<DiskFailure>(['EIO', 'ENOSPC'])(
    'after %s of any operation the state and its newest snapshot are sound, or it is said',
    async (failure) => {
      let isOver = false;
      for (let nth = 1; !isOver; nth += 1) {
        const ram = new RamDisk();
        const disk = new FailingDisk(ram, failure, nth);
        const story = new Story();
        const error: unknown = await story.run(disk).then(
          () => null,
          (reason: unknown) => reason,
        );
        // Nothing is swallowed: what failed ends the process.
        expect(error !== null).toBe(disk.hasFailed);
        isOver = nth > disk.operations;
        await story.base.reopen();
        await expectSound(await story.open(ram), story.hashes);
        await expectRestorable(story, ram);
      }
    },
  );

  it('a read that is cut short is damage, never another value', async () => {
    const ram = new RamDisk();
    const story = new Story();
    await story.run(ram);
    let isOver = false;
    for (let nth = 1; !isOver; nth += 1) {
      const disk = new FailingDisk(ram.copy(), 'short read', nth);
      const { index, parts } = story.snapshot!;
      const again = new Story();
      const machine = await again.open(disk);
      const error: unknown = await machine
        .installSnapshot(index, mergedChunks(parts.map(replay)))
        .then(() => expectSound(machine, story.hashes))
        .catch((reason: unknown) => reason);
      if (error !== undefined) expect(error).toMatchObject({ code: 'STATE_CORRUPT' });
      isOver = nth > disk.operations;
    }
  });
});
