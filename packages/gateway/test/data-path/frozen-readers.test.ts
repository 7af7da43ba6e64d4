import { StoreError } from '@azimuth/common';

import type { ByteSink } from '../../src/data-path/byte-source';
import { SlowReaders } from '../../src/http/slow-readers';
import { bodyOf, makeBody, makeFixture } from './data-path-fixture';
import type { Fixture } from './data-path-fixture';

const BODY = makeBody(2 * 1024 * 1024);
const ARENA_BYTES = 4 * 1024 * 1024;
const FROZEN = 20;

let slowReaders: SlowReaders | null = null;
const cuts: (() => void)[] = [];
let fixture: Fixture;

beforeEach(() => {
  fixture = makeFixture({
    arenaBytes: ARENA_BYTES,
    onReadPressure: () => slowReaders?.cutSlowest(),
  });
  slowReaders = new SlowReaders(fixture.clock);
});

/** As the socket of a client that reads nothing: what is sent stays, until it is cut off. */
const frozenSink: ByteSink = () =>
  new Promise((_resolve, reject) => {
    const cut = (): void => reject(new StoreError('CANCELLED'));
    cuts.push(cut);
    slowReaders?.begin(cut);
  });

describe('clients that ask for much and read nothing', () => {
  it('do not keep the memory of all from those who read', async () => {
    const { dataPath, clock } = fixture;
    const body = bodyOf(await fixture.write(BODY));
    const range = { from: 0, to: BODY.length };
    const frozen = Array.from({ length: FROZEN }, () => dataPath.read(body, range, frozenSink));
    const ends = Promise.allSettled(frozen);
    await clock.runUntil(clock.monotonicMs() + 1_000);
    const startedMs = clock.monotonicMs();
    expect((await fixture.read(body, 0, BODY.length)).equals(BODY)).toBe(true);
    expect(clock.monotonicMs() - startedMs).toBeLessThan(30_000);
    while (dataPath.memoryBytes().reading > 0) {
      for (const cut of cuts.splice(0)) cut();
      await fixture.settle(clock.sleep(10));
    }
    expect(new Set((await ends).map(({ status }) => status))).toEqual(new Set(['rejected']));
  });

  it('are let alone while nobody waits for memory', async () => {
    const { dataPath, clock } = fixture;
    const body = bodyOf(await fixture.write(BODY));
    let isOver = false;
    const end = dataPath
      .read(body, { from: 0, to: BODY.length }, frozenSink)
      .catch(() => (isOver = true));
    await clock.runUntil(clock.monotonicMs() + 60_000);
    expect(isOver).toBe(false);
    slowReaders?.cutSlowest();
    await fixture.settle(end.then(() => clock.sleep(1)));
    expect(dataPath.memoryBytes().reading).toBe(0);
  });
});

describe('SlowReaders', () => {
  it('cuts off the slowest alone, and none before its patience has ended', async () => {
    const { clock } = fixture;
    const readers = new SlowReaders(clock);
    const cut: string[] = [];
    readers.begin(() => cut.push('first'));
    const taken = readers.begin(() => cut.push('second'));
    readers.begin(() => cut.push('third'));
    taken();
    await clock.runUntil(clock.monotonicMs() + 9_999);
    readers.cutSlowest();
    expect(cut).toEqual([]);
    await clock.runUntil(clock.monotonicMs() + 1);
    readers.cutSlowest();
    expect(cut).toEqual(['first']);
    for (let turn = 0; turn < 3; turn += 1) readers.cutSlowest();
    expect(cut).toEqual(['first', 'third']);
  });
});
