import fc from 'fast-check';

import type { Entry } from '../../src/core/message';
import type { GroupWrite, LogStorage } from '../../src/log/log-storage';
import { MemoryLogStorage } from '../../src/log/memory-log';

export const MEMBERS = { voters: ['n1'], outgoing: null, learners: [] };
const membersAt = (index: number): typeof MEMBERS => ({ ...MEMBERS, voters: [`n${index}`] });

export function entry(
  index: number,
  term: number,
  text = `${String(index)}@${String(term)}`,
): Entry {
  return { index, term, data: Buffer.from(text) };
}

export function write(entries: readonly Entry[], more: Partial<GroupWrite> = {}): GroupWrite {
  return { group: 'root', hardState: null, snapshot: null, entries, ...more };
}

/** Everything that can be read of a storage, for comparison. */
export function contents(storage: LogStorage): unknown {
  return [...storage.groups()].sort().map((name) => {
    const log = storage.group(name);
    const first = log.snapshotIndex() + 1;
    const entries =
      log.lastIndex() < first
        ? []
        : log.entries(first, log.lastIndex() + 1, Number.MAX_SAFE_INTEGER);
    return {
      name,
      hardState: log.hardState(),
      snapshot: [log.snapshotIndex(), log.snapshotTerm(), log.snapshotConfiguration()],
      entries: entries.map(({ index, term, data }) => [
        index,
        term,
        Buffer.from(data).toString(),
        log.term(index),
      ]),
    };
  });
}

/** The contract of {@link LogStorage}; `open` answers an empty one, `reopen` the same again. */
export function logStorageSuite(
  name: string,
  make: () => {
    open: () => Promise<LogStorage>;
    reopen: ((old: LogStorage) => Promise<LogStorage>) | null;
  },
): void {
  describe(`log storage: ${name}`, () => {
    it('keeps entries and hard state', async () => {
      const storage = await make().open();
      const hardState = { currentTerm: 2, votedFor: 'n1', repairIndex: 0, isRejoining: false };
      await storage.write([write([entry(1, 1), entry(2, 2)], { hardState })]);
      const log = storage.group('root');
      expect(log.hardState()).toEqual(hardState);
      expect([log.lastIndex(), log.term(0), log.term(1), log.term(2), log.term(3)]).toEqual([
        2,
        0,
        1,
        2,
        null,
      ]);
      expect(log.entries(2, 3, 1)).toEqual([entry(2, 2)]);
    });

    it('replaces everything from the first entry of a write on', async () => {
      const storage = await make().open();
      await storage.write([write([entry(1, 1), entry(2, 1), entry(3, 1)])]);
      await storage.write([write([entry(2, 2)])]);
      const log = storage.group('root');
      expect(log.lastIndex()).toBe(2);
      expect(log.term(2)).toBe(2);
    });

    it('answers at least one entry, then as many as fit', async () => {
      const storage = await make().open();
      await storage.write([write([entry(1, 1), entry(2, 1), entry(3, 1)])]);
      expect(storage.group('root').entries(1, 4, 1)).toHaveLength(1);
      expect(storage.group('root').entries(1, 4, 1e6)).toHaveLength(3);
    });

    it('keeps the tail behind a snapshot of the same log, and drops another log', async () => {
      const storage = await make().open();
      await storage.write([write([entry(1, 1), entry(2, 1), entry(3, 1)])]);
      await storage.write([write([], { snapshot: { index: 2, term: 1, configuration: MEMBERS } })]);
      const log = storage.group('root');
      expect([log.snapshotIndex(), log.lastIndex(), log.term(1)]).toEqual([2, 3, null]);
      await storage.write([
        write([entry(11, 4)], { snapshot: { index: 10, term: 4, configuration: MEMBERS } }),
      ]);
      expect([log.snapshotIndex(), log.snapshotTerm(), log.lastIndex()]).toEqual([10, 4, 11]);
    });

    it('agrees with the reference under any sequence of writes and restarts', async () => {
      const step = fc.record({
        group: fc.constantFrom('root', 'index-0'),
        back: fc.nat(4),
        count: fc.nat(4),
        isTermNew: fc.boolean(),
        compact: fc.boolean(),
        restart: fc.boolean(),
      });
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
          const { open, reopen } = make();
          let storage = await open();
          const model = new MemoryLogStorage();
          let term = 1;
          for (const { group, back, count, isTermNew, compact, restart } of steps) {
            if (isTermNew) term += 1;
            const log = model.group(group);
            const first = Math.max(log.snapshotIndex() + 1, log.lastIndex() + 1 - back);
            const index = Math.min(log.lastIndex(), log.snapshotIndex() + 2);
            const batch: GroupWrite = {
              group,
              hardState: { currentTerm: term, votedFor: null, repairIndex: 0, isRejoining: false },
              snapshot:
                compact && first > index
                  ? { ...{ index, term: log.term(index) ?? 0 }, configuration: membersAt(index) }
                  : null,
              entries: Array.from({ length: count }, (_, i) => entry(first + i, term)),
            };
            await storage.write([batch]);
            await model.write([batch]);
            if (restart && reopen !== null) storage = await reopen(storage);
            expect(contents(storage)).toEqual(contents(model));
          }
          await storage.close();
        }),
        { numRuns: 20 },
      );
    });
  });
}
