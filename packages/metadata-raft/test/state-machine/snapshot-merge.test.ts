import fc from 'fast-check';

import { mergedChunks } from '../../src/state-machine/snapshot-merge';
import { MemoryKeyValueStore } from '../../src/state-machine/memory-key-value-store';
import { SeparatedStore } from '../../src/state-machine/separated-store';
import { RamDisk } from '../log/ram-disk';
import { BUCKET_ID, draftOf, IndexDriver, inlineData, openIndex } from './index-fixture';
import type { IndexMachine } from './index-fixture';

const LARGE = 'x'.repeat(600);
const KEYS = 8;

interface Part {
  readonly index: number;
  readonly chunks: readonly Buffer[];
}

interface Step {
  readonly key: number;
  readonly kind: 'small' | 'large' | 'delete';
  readonly isSnapshot: boolean;
}

async function* replay(chunks: readonly Buffer[], cutBytes = Infinity): AsyncGenerator<Buffer> {
  for (const chunk of chunks) {
    for (let from = 0; from < chunk.length; from += cutBytes) {
      yield await Promise.resolve(chunk.subarray(from, from + cutBytes));
    }
  }
}

async function collect(chunks: AsyncIterable<Buffer>): Promise<Buffer[]> {
  const all: Buffer[] = [];
  for await (const chunk of chunks) all.push(Buffer.from(chunk));
  return all;
}

/** One replica with small value files, and the snapshots made of it. */
class Replica {
  readonly base = new MemoryKeyValueStore();
  readonly disk = new RamDisk();
  readonly parts: Part[] = [];
  driver!: IndexDriver;

  static async open(changesBytesMax?: number): Promise<Replica> {
    const replica = new Replica();
    await replica.reopen(changesBytesMax);
    return replica;
  }

  async reopen(changesBytesMax?: number): Promise<void> {
    const limits = changesBytesMax === undefined ? {} : { changesBytesMax };
    const options = { base: this.base, disk: this.disk, fileBytesMax: 2048, ...limits };
    this.driver = new IndexDriver(await openIndex(await SeparatedStore.open(options)));
  }

  get machine(): IndexMachine {
    return this.driver.machine;
  }

  async step({ key, kind }: Omit<Step, 'isSnapshot'>): Promise<void> {
    const at = { bucketId: BUCKET_ID, key: `key-${key}`, versioning: 'unversioned' };
    if (kind === 'delete') {
      const how = { versionId: null, owner: 'me', precondition: null };
      await this.driver.run('DeleteVersion', { ...at, ...how });
      return;
    }
    const text = `${this.machine.lastApplied()}${kind === 'large' ? LARGE : ''}`;
    const draft = draftOf(at.key, text.length, 'e');
    await this.driver.run('CommitVersion', {
      ...{ ...at, precondition: null, draft, data: inlineData(text) },
    });
  }

  /** Answers whether it is one of changes. */
  async snapshot(): Promise<boolean> {
    const base = this.parts.at(-1)?.index ?? null;
    const { baseIndex, lastIncludedIndex, chunks } = await this.machine.createSnapshot(base);
    const part = { index: lastIncludedIndex, chunks: await collect(chunks) };
    if (baseIndex === null) this.parts.length = 0;
    this.parts.push(part);
    return baseIndex !== null;
  }

  merged(cutBytes?: number): AsyncIterable<Buffer> {
    return mergedChunks(this.parts.map(({ chunks }) => replay(chunks, cutBytes)));
  }
}

describe('snapshots of changes', () => {
  const put = (key: number, kind: Step['kind'] = 'large') => ({ key, kind });

  it('add up to the snapshot of the whole state, byte for byte for another node', async () => {
    const step = fc.record({
      key: fc.integer({ min: 0, max: KEYS }),
      kind: fc.constantFrom<Step['kind']>('small', 'large', 'large', 'delete'),
      isSnapshot: fc.boolean(),
    });
    const property = async (steps: readonly Step[], cutBytes: number): Promise<void> => {
      const replica = await Replica.open();
      await replica.step(put(0));
      await replica.snapshot();
      for (const each of steps) {
        await replica.step(each);
        if (each.isSnapshot) expect(await replica.snapshot()).toBe(true);
      }
      await replica.step(put(1));
      expect(await replica.snapshot()).toBe(true);
      const { machine } = replica;
      const sent = Buffer.concat(await collect(machine.wholeSnapshot(replica.merged(cutBytes))));
      const index = machine.lastApplied();
      const digest = await machine.stateHash();
      const { chunks } = await machine.createSnapshot();
      const whole = Buffer.concat(await collect(machine.wholeSnapshot(chunks)));
      expect(sent.equals(whole)).toBe(true);
      // As after a power cut: what the parts refer to is there, although files went meanwhile.
      const parts = replica.merged(cutBytes);
      await replica.base.clear();
      await replica.reopen();
      await replica.machine.installSnapshot(index, parts);
      expect(await replica.machine.stateHash()).toBe(digest);
    };
    const cuts = fc.constantFrom(7, 100, Infinity);
    await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 40 }), cuts, property), {
      numRuns: 40,
    });
  });

  it('do not read the whole store again', async () => {
    const replica = await Replica.open();
    for (let key = 0; key < 200; key += 1) await replica.step(put(key));
    await replica.snapshot();
    await replica.step(put(7));
    await replica.snapshot();
    const [whole, changes] = replica.parts.map(({ chunks }) => Buffer.concat(chunks).length);
    expect(changes).toBeLessThan(whole! / 20);
  });

  describe('give way to a whole one', () => {
    const OBJECTS = 1_500;
    type Touch = (key: number, round: number) => ReturnType<typeof put> | null;
    /** Whether the snapshots are of changes that are made after each of four rounds. */
    const kinds = async (touch: Touch): Promise<boolean[]> => {
      const replica = await Replica.open();
      const areOfChanges: boolean[] = [];
      for (let round = 0; round <= 4; round += 1) {
        for (let key = 0; key < OBJECTS; key += 1) {
          const step = round === 0 ? put(key, 'small') : touch(key, round);
          if (step !== null) await replica.step(step);
        }
        areOfChanges.push(await replica.snapshot());
      }
      return areOfChanges.slice(1);
    };

    it('never while the store only grows: it would hold the same', async () => {
      const grown = await kinds((key, round) => put(round * OBJECTS + key, 'small'));
      expect(grown).toEqual([true, true, true, true]);
    });

    it('as soon as most of their records were replaced', async () => {
      const inQuarters = await kinds((key, round) => {
        return key % 4 === round % 4 ? put(key, 'small') : null;
      });
      expect(inQuarters).toEqual([true, true, false, true]);
      expect(await kinds((key) => put(key, 'small'))).toEqual([false, false, false, false]);
    });

    it('as soon as most of their records were deleted', async () => {
      const [first] = await kinds((key) => put(key, 'delete'));
      expect(first).toBe(false);
    });
  });

  it.each([
    ['the store was opened since', (replica: Replica) => replica.reopen()],
    ['the store was emptied since', (replica: Replica) => replica.machine.reset()],
    ['another snapshot was begun since', (replica: Replica) => replica.machine.createSnapshot()],
  ])('are refused when %s', async (_, happen) => {
    const replica = await Replica.open();
    await replica.step(put(1));
    await replica.snapshot();
    await replica.step(put(2));
    await happen(replica);
    await replica.step(put(3));
    expect(await replica.snapshot()).toBe(false);
  });

  it('are refused when more changed than is remembered', async () => {
    const replica = await Replica.open(4096);
    await replica.step(put(1));
    await replica.snapshot();
    await replica.step(put(2));
    expect(await replica.snapshot()).toBe(true);
    for (let key = 0; key < 20; key += 1) await replica.step(put(key));
    expect(await replica.snapshot()).toBe(false);
  });

  it('refer to where a value is after it was moved', async () => {
    const replica = await Replica.open();
    await replica.step(put(0, 'small'));
    await replica.snapshot();
    for (let key = 0; key < 6; key += 1) await replica.step(put(key));
    // Most of the files that they are in becomes garbage, and what is left is moved.
    for (let round = 0; round < 20; round += 1) await replica.step(put(round % 5));
    expect(await replica.snapshot()).toBe(true);
    const digest = await replica.machine.stateHash();
    const index = replica.machine.lastApplied();
    const other = await openIndex();
    await other.installSnapshot(index, replica.machine.wholeSnapshot(replica.merged()));
    expect(await other.stateHash()).toBe(digest);
  });

  it('are of no use alone, and are refused when they do not fit', async () => {
    const replica = await Replica.open();
    await replica.step(put(1));
    await replica.snapshot();
    await replica.step({ key: 1, kind: 'delete' });
    await replica.snapshot();
    const [, changes] = replica.parts;
    const index = replica.machine.lastApplied();
    await expect(
      replica.machine.installSnapshot(index, replay(changes!.chunks)),
    ).rejects.toMatchObject({ code: 'CHECKSUM_MISMATCH' });
    const torn = [replay(replica.parts[0]!.chunks), replay(changes!.chunks.slice(0, -1))];
    await expect(collect(mergedChunks(torn))).rejects.toMatchObject({ code: 'CHECKSUM_MISMATCH' });
  });
});
