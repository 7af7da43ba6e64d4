import { History } from '../../src/game-day/history';
import type { ObjectInput, ObjectOutput } from '../../src/game-day/object-model';

const PUT: ObjectInput = { kind: 'put', etag: 'e', onlyIfAbsent: false, ifMatch: null };
const DELETE: ObjectInput = { kind: 'delete', ifMatch: null };
const DONE: ObjectOutput = { kind: 'done' };

interface Change {
  readonly input: ObjectInput;
  readonly output: ObjectOutput | null;
  readonly times: readonly [number, number];
}

/** What a list from 10 to 20 that shows `keys` makes of the history of `k`. */
function violationsOf(
  changes: readonly Change[],
  keys: readonly string[],
  lastKey: string | null = null,
): readonly string[] {
  const history = new History();
  for (const { input, output, times } of changes) {
    history.record('k', { input, output, calledAt: times[0], returnedAt: times[1] });
  }
  history.recordList({ keys: new Set(keys), lastKey, calledAt: 10, returnedAt: 20 });
  return history.check().violations;
}

const put = (...times: readonly [number, number]): Change => ({ input: PUT, output: DONE, times });
const remove = (...times: readonly [number, number]): Change => ({
  input: DELETE,
  output: DONE,
  times,
});

describe('the history of a game day (K-8: lists show what was acknowledged)', () => {
  it.each<[string, readonly Change[], readonly string[]]>([
    ['shows what was there', [put(0, 1)], ['k']],
    ['does not show what was deleted', [put(0, 1), remove(2, 3)], []],
    ['may or may not show what is being written', [put(5, 15)], []],
    ['may or may not show what is being deleted', [put(0, 1), remove(12, 13)], ['k']],
    ['may show a write whose outcome nobody knows', [{ ...put(0, 1), output: null }], ['k']],
    ['may miss a write whose outcome nobody knows', [{ ...put(0, 1), output: null }], []],
    ['need not know the order of overlapping changes', [put(0, 5), remove(3, 6)], ['k']],
    ['need not show what was written later', [put(30, 31)], []],
  ])('a list %s', (_, changes, keys) => {
    expect(violationsOf(changes, keys)).toEqual([]);
  });

  it.each<[string, readonly Change[], readonly string[]]>([
    ['misses what was there', [put(0, 1)], []],
    ['shows what was deleted', [put(0, 1), remove(2, 3)], ['k']],
    ['shows what is written later', [put(30, 31)], ['k']],
  ])('is violated by a list that %s', (_, changes, keys) => {
    expect(violationsOf(changes, keys)).toHaveLength(1);
  });

  it('expects nothing of keys behind the end of a page', () => {
    expect(violationsOf([put(0, 1)], ['a'], 'a')).toEqual([]);
  });

  it('names the key that no order explains, and counts what was checked', () => {
    const history = new History();
    history.record('k', { input: PUT, output: DONE, calledAt: 0, returnedAt: 1 });
    const found = { kind: 'found', etag: null } as const;
    history.record('k', { input: { kind: 'get' }, output: found, calledAt: 2, returnedAt: 3 });
    const { operations, keys, violations } = history.check();
    expect({ operations, keys }).toEqual({ operations: 2, keys: 1 });
    expect(violations).toEqual(['k: no order explains its history']);
  });
});
