import type { CommittedEntry } from '../../src/driver/state-machine';
import { APPLY_VERSION, GroupStateMachine } from '../../src/state-machine/group-state-machine';
import { MemoryKeyValueStore } from '../../src/state-machine/memory-key-value-store';
import { RootCommandSet } from '../../src/state-machine/root-commands';
import { commandOf, entryOf, START_MS } from './index-fixture';

const OLD = APPLY_VERSION - 1;
const CHAIN = 100_000;

function open(store: MemoryKeyValueStore, version: number) {
  const create = (...args: ConstructorParameters<typeof RootCommandSet>): RootCommandSet =>
    new RootCommandSet(...args);
  return GroupStateMachine.open(store, create, Infinity, version);
}

/** Entries that follow `after`: some change something, and most are no-ops. */
function entriesUpTo(last: number, after: number): CommittedEntry[] {
  return Array.from({ length: last - after }, (_, n) => {
    const index = after + 1 + n;
    if (index % 499 !== 0) return { index, term: 1, data: Buffer.alloc(0) };
    const command = commandOf('AddZone', { zone: `z${index}` }, START_MS);
    return entryOf(index, START_MS, {
      ...command,
      commandId: index.toString(16).padStart(32, '0'),
    });
  });
}

/** A node that applies everything up to `last` and becomes of the next version at `upgradedAt`. */
async function upgraded(upgradedAt: number, last: number) {
  const store = new MemoryKeyValueStore();
  const before = await open(store, OLD);
  await before.apply(entriesUpTo(upgradedAt, 0));
  const after = await open(store, APPLY_VERSION);
  await after.apply(entriesUpTo(last, upgradedAt));
  return after;
}

describe('digests of nodes that are upgraded one after the other', () => {
  it('says nothing of a chain that two versions made, and agrees again from the next one on', async () => {
    const [early, late] = [await upgraded(1_500, 2_600), await upgraded(2_500, 2_600)];
    expect([early.digests, late.digests]).toEqual([[], []]);
    const end = CHAIN + 3_000;
    for (const machine of [early, late]) await machine.apply(entriesUpTo(end, 2_600));
    const indexes = early.digests.map(({ index }) => index);
    expect(indexes).toEqual([CHAIN + 1_000, CHAIN + 2_000, end, end]);
    expect(late.digests).toEqual(early.digests);
  });

  it('goes on over a restart of the same version, and is told apart from another chain', async () => {
    const store = new MemoryKeyValueStore();
    const first = await open(store, APPLY_VERSION);
    await first.apply(entriesUpTo(1_200, 0));
    const again = await open(store, APPLY_VERSION);
    expect(again.digests).toEqual([first.digests.at(-1)]);
    expect((await open(store, APPLY_VERSION + 1)).digests).toEqual([]);
  });
});
