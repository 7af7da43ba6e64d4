import { decodeRecord, encodeRecord } from '@azimuth/proto';
import type { StateMark } from '@azimuth/proto';

import { CheckedStore } from '../../src/state-machine/checked-store';
import { MemoryKeyValueStore } from '../../src/state-machine/memory-key-value-store';
import { StateCensus } from '../../src/state-machine/state-census';

const META_KEY = Buffer.from('m');
const PERIOD_MS = 1_000;
const noPace = (): Promise<void> => Promise.resolve();

class Replica {
  readonly store = new MemoryKeyValueStore();
  readonly records = new CheckedStore(this.store);
  readonly census = new StateCensus(this.records, {
    metaKey: META_KEY,
    periodMs: PERIOD_MS,
    indexOf: (content) => decodeRecord(content) as number,
  });

  async put(index: number, entries: Readonly<Record<string, string>>): Promise<void> {
    for (const [key, value] of Object.entries(entries)) {
      this.records.put(Buffer.from(key), Buffer.from(value));
    }
    this.records.putUnchained(META_KEY, encodeRecord(index));
    await this.records.write();
  }

  async mark(): Promise<StateMark | null> {
    this.census.begin();
    return this.census.read(noPace);
  }
}

describe('the census of a state', () => {
  it('is the same however the records came, and names its index', async () => {
    const one = new Replica();
    const other = new Replica();
    await one.put(1, { a: '1', b: '2' });
    await one.put(2, { c: '3' });
    await other.put(2, { c: '3', b: '2', a: '1' });
    expect(await one.mark()).toEqual(await other.mark());
    expect(one.census.recent).toMatchObject([{ index: 2 }]);
  });

  it('notices a record that was lost, and one that is an older version of itself', async () => {
    const whole = new Replica();
    const lost = new Replica();
    const older = new Replica();
    for (const replica of [whole, lost, older]) await replica.put(1, { a: '1', b: '2', c: '3' });
    const before = await older.store
      .range({ from: Buffer.from('b'), to: Buffer.from('c') })
      .next(1);
    for (const replica of [whole, lost, older]) await replica.put(2, { b: 'new' });
    // Behind the back of the checksums, as LevelDB does.
    await lost.store.write([{ key: Buffer.from('c'), value: null }]);
    await older.store.write([{ key: Buffer.from('b'), value: before[0]?.[1] ?? null }]);
    const marks = [await whole.mark(), await lost.mark(), await older.mark()];
    expect(new Set(marks.map((mark) => mark?.index))).toEqual(new Set([2]));
    expect(new Set(marks.map((mark) => mark?.hash)).size).toBe(3);
  });

  it('looks at the moment when it began, whatever is written while it reads (C1)', async () => {
    const replica = new Replica();
    await replica.put(1, { a: '1' });
    const expected = await replica.mark();
    replica.census.begin();
    await replica.put(2, { a: '2' });
    expect(await replica.census.read(noPace)).toEqual(expected);
  });

  it('throws what does not match its checksum', async () => {
    const replica = new Replica();
    await replica.put(1, { a: '1' });
    await replica.store.write([{ key: Buffer.from('a'), value: Buffer.from('rotten') }]);
    replica.census.begin();
    await expect(replica.census.read(noPace)).rejects.toMatchObject({ code: 'STATE_CORRUPT' });
  });

  it('is due between entries of two periods alone', () => {
    const { census } = new Replica();
    expect(census.isDue(PERIOD_MS - 1, PERIOD_MS)).toBe(true);
    expect(census.isDue(PERIOD_MS, 2 * PERIOD_MS - 1)).toBe(false);
  });
});
