import { OBJECT_MODEL } from '../../src/game-day/object-model';
import type { ObjectInput, ObjectOutput } from '../../src/game-day/object-model';
import { UPLOAD_MODEL } from '../../src/game-day/upload-model';
import { VERSION_MODEL } from '../../src/game-day/version-model';
import { checkLinearizability } from '../../src/game-day/linearizability';
import { misplacedInTime, replayInLogOrder } from '../../src/game-day/witness';
import type { LogPosition, WitnessedOperation } from '../../src/game-day/witness';

type Operation = WitnessedOperation<ObjectInput, ObjectOutput>;
type Times = readonly [calledAt: number, returnedAt: number];

const command = (index: number): LogPosition => ({ group: 'index-0', index, kind: 'command' });
const query = (index: number): LogPosition => ({ group: 'index-0', index, kind: 'query' });

function operation(
  input: ObjectInput,
  output: ObjectOutput | null,
  [calledAt, returnedAt]: Times,
  position: LogPosition | null,
): Operation {
  return { input, output, calledAt, returnedAt, position };
}

const put = (etag: string, times: Times, position: LogPosition | null): Operation =>
  operation(
    { kind: 'put', etag, onlyIfAbsent: false, ifMatch: null },
    { kind: 'done' },
    times,
    position,
  );
const create = (
  etag: string,
  kind: 'done' | 'refused',
  times: Times,
  position: LogPosition | null,
): Operation =>
  operation({ kind: 'put', etag, onlyIfAbsent: true, ifMatch: null }, { kind }, times, position);
const lost = (etag: string, calledAt: number): Operation =>
  operation(
    { kind: 'put', etag, onlyIfAbsent: false, ifMatch: null },
    null,
    [calledAt, calledAt],
    null,
  );
const get = (etag: string | null, times: Times, position: LogPosition | null): Operation =>
  operation({ kind: 'get' }, { kind: 'found', etag }, times, position);

describe('the replay in the order of the log', () => {
  it.each<[string, Operation[]]>([
    ['nothing', []],
    ['a read of what was written', [put('a', [0, 1], command(1)), get('a', [2, 3], query(1))]],
    [
      'reads and writes that overlap, as the log has them',
      [
        put('a', [0, 9], command(2)),
        put('b', [0, 9], command(1)),
        get('a', [0, 9], query(2)),
        get('b', [0, 9], query(1)),
        get(null, [0, 9], query(0)),
      ],
    ],
    [
      'one winner of two creations',
      [create('a', 'refused', [0, 5], command(2)), create('b', 'done', [0, 5], command(1))],
    ],
    [
      'a lost write that took effect, seen late',
      [lost('a', 0), put('b', [1, 2], command(4)), get('a', [3, 4], query(7))],
    ],
    ['a lost write that never took effect', [lost('a', 0), get(null, [3, 4], query(7))]],
    [
      'an answer whose place nobody knows',
      [
        put('a', [0, 9], null),
        get(null, [0, 3], query(4)),
        get('a', [0, 9], query(5)),
        put('b', [10, 11], command(6)),
      ],
    ],
  ])('explains %s', (_, operations) => {
    expect(replayInLogOrder(OBJECT_MODEL, operations).verdict).toBe('agrees');
    expect(checkLinearizability(OBJECT_MODEL, operations)).toBe('linearizable');
  });

  it.each<[string, Operation[]]>([
    [
      'a stale read that real time alone cannot tell',
      [put('a', [0, 9], command(1)), put('b', [0, 9], command(2)), get('a', [0, 9], query(2))],
    ],
    ['a lost update', [put('a', [0, 1], command(1)), get(null, [2, 3], query(5))]],
    [
      'two winners of a creation',
      [create('a', 'done', [0, 5], command(2)), create('b', 'done', [0, 5], command(1))],
    ],
    ['a refusal without reason', [create('a', 'refused', [0, 5], command(2))]],
    [
      'a lost write that is seen before it was asked for',
      [get('a', [0, 1], query(3)), lost('a', 2)],
    ],
    [
      'a lost write that took effect twice',
      [
        lost('a', 0),
        get('a', [1, 2], query(3)),
        put('b', [3, 4], command(4)),
        get('b', [5, 6], query(4)),
        get('a', [7, 8], query(9)),
      ],
    ],
    ['an answered write that left no trace', [put('a', [0, 1], null), get(null, [2, 3], query(4))]],
  ])('does not explain %s', (_, operations) => {
    expect(replayInLogOrder(OBJECT_MODEL, operations).verdict).toBe('disagrees');
  });

  it('gives up when too many places would have to be tried', () => {
    const operations = Array.from({ length: 8 }, (_, i) => lost(`e${i}`, i));
    expect(replayInLogOrder(OBJECT_MODEL, operations).verdict).toBe('undecided');
  });
});

describe('the order of the log against real time', () => {
  it('a write that was answered comes before what was asked for after it', () => {
    const early = put('a', [0, 1], command(5));
    expect(misplacedInTime([early, get('a', [2, 3], query(5))])).toEqual([]);
    const stale = get(null, [2, 3], query(4));
    expect(misplacedInTime([early, stale])).toEqual([stale]);
    const before = put('b', [2, 3], command(4));
    expect(misplacedInTime([early, before])).toEqual([before]);
  });

  it('a read that saw an entry keeps later commands behind it, on other keys too', () => {
    const seen = get('a', [0, 1], query(5));
    const same = put('b', [2, 3], command(5));
    expect(misplacedInTime([seen, same])).toEqual([same]);
    expect(misplacedInTime([seen, put('b', [2, 3], command(6))])).toEqual([]);
  });

  it('what overlaps may be in any order, and groups have logs of their own', () => {
    const late = put('a', [0, 5], command(9));
    expect(misplacedInTime([late, put('b', [4, 6], command(1))])).toEqual([]);
    const elsewhere = { group: 'index-1', index: 1, kind: 'command' } as const;
    expect(misplacedInTime([late, put('b', [7, 8], elsewhere)])).toEqual([]);
  });
});

describe('an upload has one end', () => {
  const end = (
    kind: 'complete' | 'abort',
    output: 'done' | 'gone' | null,
  ): Parameters<typeof checkLinearizability<string, object, object>>[1][number] => ({
    input: { kind },
    output: output === null ? null : { kind: output },
    calledAt: 0,
    returnedAt: 9,
  });
  const verdict = (...operations: ReturnType<typeof end>[]): string =>
    checkLinearizability(UPLOAD_MODEL as never, operations);

  it.each([
    [end('complete', 'done'), end('abort', 'gone')],
    [end('complete', 'gone'), end('abort', 'done')],
    [end('complete', null), end('abort', 'gone')],
    [end('complete', null), end('abort', 'done')],
  ])('completed or aborted', (a, b) => expect(verdict(a, b)).toBe('linearizable'));

  it.each([
    [end('complete', 'done'), end('abort', 'done')],
    [end('complete', 'gone'), end('abort', 'gone')],
  ])('not both, nor neither', (a, b) => expect(verdict(a, b)).toBe('not-linearizable'));
});

describe('a key with versions', () => {
  type Step = readonly [input: object, output: object | null];
  const verdict = (...steps: readonly Step[]): string =>
    checkLinearizability(
      VERSION_MODEL as never,
      steps.map(([input, output], i) => ({
        ...{ input, output, calledAt: i * 2, returnedAt: i * 2 + 1 },
      })),
    );
  const putV = (etag: string, versionId: string): Step => [
    { kind: 'put', etag },
    { kind: 'made', versionId },
  ];
  const getV = (etag: string | null, versionId: string | null): Step => [
    { kind: 'get' },
    { kind: 'found', etag, versionId },
  ];
  const getOld = (versionId: string, etag: string | null): Step => [
    { kind: 'get-version', versionId },
    { kind: 'found', etag, versionId },
  ];

  it('keeps what is old as it was, and shows the newest', () => {
    expect(verdict(putV('a', '1'), putV('b', '2'), getOld('1', 'a'), getV('b', '2'))).toBe(
      'linearizable',
    );
    expect(verdict(putV('a', '1'), putV('b', '2'), getOld('1', 'b'))).toBe('not-linearizable');
    expect(verdict(putV('a', '1'), putV('b', '2'), getV('a', '1'))).toBe('not-linearizable');
    expect(verdict(putV('a', '1'), putV('b', '1'))).toBe('not-linearizable');
  });

  it('is hidden by a marker and shown again when that one is deleted', () => {
    const marker: Step = [{ kind: 'delete' }, { kind: 'made', versionId: '2' }];
    const unmark: Step = [{ kind: 'delete-version', versionId: '2' }, { kind: 'done' }];
    expect(verdict(putV('a', '1'), marker, getV(null, '2'), unmark, getV('a', '1'))).toBe(
      'linearizable',
    );
    expect(verdict(putV('a', '1'), marker, getV('a', '1'))).toBe('not-linearizable');
    expect(verdict(putV('a', '1'), marker, getOld('1', null))).toBe('not-linearizable');
  });

  it('a version that nobody was told of gets its name when it is seen first', () => {
    const unknown: Step = [{ kind: 'put', etag: 'a' }, null];
    expect(verdict(unknown, getV('a', '7'), getV('a', '7'))).toBe('linearizable');
    expect(verdict(unknown, getV('a', '7'), getV('a', '8'))).toBe('not-linearizable');
    expect(verdict(unknown, getV(null, null))).toBe('linearizable');
  });
});
