import fc from 'fast-check';

import { checkLinearizability } from '../../src/game-day/linearizability';
import type { HistoryOperation } from '../../src/game-day/linearizability';
import { OBJECT_MODEL } from '../../src/game-day/object-model';
import type { ObjectInput, ObjectOutput } from '../../src/game-day/object-model';

type Operation = HistoryOperation<ObjectInput, ObjectOutput>;

function put(etag: string, calledAt: number, returnedAt: number): Operation {
  const input = { kind: 'put', etag, onlyIfAbsent: false, ifMatch: null } as const;
  return { input, output: { kind: 'done' }, calledAt, returnedAt };
}

function get(etag: string | null, calledAt: number, returnedAt: number): Operation {
  return { input: { kind: 'get' }, output: { kind: 'found', etag }, calledAt, returnedAt };
}

function create(etag: string, output: 'done' | 'refused', times: [number, number]): Operation {
  const input = { kind: 'put', etag, onlyIfAbsent: true, ifMatch: null } as const;
  return { input, output: { kind: output }, calledAt: times[0], returnedAt: times[1] };
}

const check = (history: readonly Operation[]): string =>
  checkLinearizability(OBJECT_MODEL, history);

describe('the search for a linearization of one key', () => {
  it.each<[string, readonly Operation[]]>([
    ['nothing', []],
    ['a read of what was written', [put('a', 0, 1), get('a', 2, 3)]],
    ['an overlapping read of either value', [put('a', 0, 1), put('b', 2, 9), get('a', 3, 4)]],
    ['overlapping writes in either order', [put('a', 0, 9), put('b', 1, 8), get('a', 10, 11)]],
    [
      'an unknown write that is seen later',
      [{ ...put('a', 0, 1), output: null }, get('a', 50, 51)],
    ],
    ['an unknown write that never is', [{ ...put('a', 0, 1), output: null }, get(null, 50, 51)]],
    ['one winner of two creators', [create('a', 'done', [0, 5]), create('b', 'refused', [1, 6])]],
  ])('accepts %s', (_, history) => {
    expect(check(history)).toBe('linearizable');
  });

  it.each<[string, readonly Operation[]]>([
    ['a stale read', [put('a', 0, 1), put('b', 2, 3), get('a', 4, 5)]],
    ['a lost write', [put('a', 0, 1), get(null, 2, 3)]],
    ['a value that comes back', [put('a', 0, 9), get('a', 1, 2), get(null, 3, 4)]],
    ['two winners', [create('a', 'done', [0, 5]), create('b', 'done', [1, 6])]],
    ['no winner', [create('a', 'refused', [0, 5]), create('b', 'refused', [1, 6])]],
    [
      'an unknown write seen and then unseen',
      [{ ...put('a', 0, 1), output: null }, get('a', 2, 3), get(null, 4, 5)],
    ],
  ])('refuses %s', (_, history) => {
    expect(check(history)).toBe('not-linearizable');
  });

  it('says so when it runs out of memory before it knows', () => {
    const history = [put('a', 0, 9), put('b', 0, 9), put('c', 0, 9), get('x', 10, 11)];
    expect(checkLinearizability(OBJECT_MODEL, history, { configurationsMax: 3 })).toBe('undecided');
  });

  // A run of the register itself, whose operations take effect somewhere between call and return.
  const runs = fc
    .array(fc.record({ kind: fc.constantFrom('put', 'get', 'delete'), width: fc.nat(6) }), {
      maxLength: 40,
    })
    .map((steps) => {
      let state: string | null = null;
      return steps.map(({ kind, width }, at): Operation => {
        const times = { calledAt: at * 4 - width, returnedAt: at * 4 + 2 + width };
        if (kind === 'get') return { ...get(state, 0, 0), ...times };
        if (kind === 'put') {
          state = `e${at}`;
          return { ...put(state, 0, 0), ...times };
        }
        state = null;
        const input = { kind: 'delete', ifMatch: null } as const;
        return { input, output: { kind: 'done' }, ...times };
      });
    });

  it('accepts every run of a register, also with answers lost', () => {
    fc.assert(
      fc.property(runs, fc.infiniteStream(fc.boolean()), (history, isLost) => {
        const seen = history.map((each) =>
          isLost.next().value === true ? { ...each, output: null } : each,
        );
        expect(check(history)).toBe('linearizable');
        expect(check(seen)).toBe('linearizable');
      }),
      { numRuns: 300 },
    );
  });

  it('agrees with trying every order', () => {
    const operation = fc.record({
      kind: fc.constantFrom('put', 'get'),
      etag: fc.constantFrom('a', 'b'),
      isAbsent: fc.boolean(),
      at: fc.nat(8),
      width: fc.nat(5),
    });
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 5 }), (steps) => {
        const history = steps.map(({ kind, etag, isAbsent, at, width }) =>
          kind === 'put' ? put(etag, at, at + width) : get(isAbsent ? null : etag, at, at + width),
        );
        const expected = orders(history).some(isLegal) ? 'linearizable' : 'not-linearizable';
        expect(check(history)).toBe(expected);
      }),
      { numRuns: 500 },
    );
  });
});

function orders(history: readonly Operation[]): Operation[][] {
  if (history.length === 0) return [[]];
  return history.flatMap((first, at) => orders(history.toSpliced(at, 1)).map((o) => [first, ...o]));
}

function isLegal(order: readonly Operation[]): boolean {
  const isInTime = order.every((later, at) =>
    order.slice(0, at).every((earlier) => earlier.calledAt <= later.returnedAt),
  );
  let state: string | null | undefined = OBJECT_MODEL.initial;
  for (const { input, output } of order) {
    state = state === undefined ? undefined : OBJECT_MODEL.step(state, input, output);
  }
  return isInTime && state !== undefined;
}
