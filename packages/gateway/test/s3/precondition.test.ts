import {
  evaluateReadConditions,
  isRangeFresh,
  parseEntityTags,
  parseReadConditions,
  parseWritePrecondition,
  refuseEarly,
} from '../../src/s3/precondition';
import type { S3ErrorCode } from '../../src/s3/s3-error';
import { refusal } from './refusal';

const LAST_MODIFIED_MS = Date.parse('2026-03-05T10:20:30.700Z');
const NOW_MS = Date.parse('2026-03-06T00:00:00Z');
const VERSION = { etag: 'abc', lastModifiedMs: LAST_MODIFIED_MS };
const SAME_SECOND = 'Thu, 05 Mar 2026 10:20:30 GMT';
const BEFORE = 'Thu, 05 Mar 2026 10:20:29 GMT';

const IM = { t: '"abc"', f: '"other"' };
/** True means that there is no match. */
const INM = { t: '"other"', f: '"abc"' };
const IMS = { t: BEFORE, f: SAME_SECOND };
const IUS = { t: SAME_SECOND, f: BEFORE };

type Truth = 't' | 'f' | undefined;

function statusOf(im: Truth, inm: Truth, ims: Truth, ius: Truth): number {
  const headers = new Map<string, string>();
  if (im !== undefined) headers.set('if-match', IM[im]);
  if (inm !== undefined) headers.set('if-none-match', INM[inm]);
  if (ims !== undefined) headers.set('if-modified-since', IMS[ims]);
  if (ius !== undefined) headers.set('if-unmodified-since', IUS[ius]);
  const outcome = evaluateReadConditions(parseReadConditions(headers), VERSION, NOW_MS);
  return { proceed: 200, 'not-modified': 304, failed: 412 }[outcome.kind];
}

describe('conditions of reads', () => {
  // The rows of rule C-1, as it is written; `*` means that the column does not matter.
  it.each([
    ['f', '*', '*', '*', 412],
    ['t', 'f', '*', '*', 304],
    ['t', 't', '*', '*', 200],
    ['t', '-', 'f', '*', 304],
    ['t', '-', '-', 'f', 200],
    ['-', 'f', '*', 'f', 412],
    ['-', 'f', '*', '-', 304],
    ['-', 't', '*', 'f', 412],
    ['-', 't', '*', '-', 200],
    ['-', '-', 'f', 'f', 412],
    ['-', '-', 'f', '-', 304],
    ['-', '-', '-', 'f', 412],
    ['-', '-', 't', '-', 200],
    ['-', '-', '-', 't', 200],
    ['-', '-', '-', '-', 200],
  ])('C-1: If-Match %s, If-None-Match %s, Modified %s, Unmodified %s is %d', (...row) => {
    const status = row.pop();
    const columns = (row as string[]).map((cell): Truth[] => {
      if (cell === '*') return [undefined, 't', 'f'];
      return [cell === '-' ? undefined : (cell as Truth)];
    });
    const [ims, inms, imss, iuss] = columns as [Truth[], Truth[], Truth[], Truth[]];
    for (const im of ims) {
      for (const inm of inms) {
        for (const modified of imss) {
          for (const unmodified of iuss) {
            expect(statusOf(im, inm, modified, unmodified)).toBe(status);
          }
        }
      }
    }
  });

  it.each(['yesterday', '', '12', 'Thu, 99 Foo 2026 10:20:29 GMT'])(
    'C-3: ignores the invalid date "%s"',
    (date) => {
      const conditions = parseReadConditions(new Map([['if-unmodified-since', date]]));
      expect(evaluateReadConditions(conditions, VERSION, NOW_MS).kind).toBe('proceed');
    },
  );

  it('C-3: ignores an If-Modified-Since in the future', () => {
    const headers = new Map([['if-modified-since', 'Sat, 07 Mar 2026 00:00:00 GMT']]);
    const outcome = evaluateReadConditions(parseReadConditions(headers), VERSION, NOW_MS);
    expect(outcome.kind).toBe('proceed');
  });

  it.each([
    ['"abc"', 'proceed'],
    ['abc', 'proceed'],
    ['*', 'proceed'],
    ['"x", "abc"', 'proceed'],
    ['W/"abc"', 'failed'],
    ['"ABC"', 'failed'],
  ])('C-3: If-Match %s → %s', (header, kind) => {
    const conditions = parseReadConditions(new Map([['if-match', header]]));
    expect(evaluateReadConditions(conditions, VERSION, NOW_MS).kind).toBe(kind);
  });

  it('reads lists of tags with commas inside the quotes', () => {
    expect(parseEntityTags('"a,b", W/"c" , d')).toEqual([
      { value: 'a,b', isWeak: false },
      { value: 'c', isWeak: true },
      { value: 'd', isWeak: false },
    ]);
  });

  it('applies a Range only while If-Range names what is there', () => {
    expect(isRangeFresh(undefined, VERSION)).toBe(true);
    expect(isRangeFresh('"abc"', VERSION)).toBe(true);
    expect(isRangeFresh('"old"', VERSION)).toBe(false);
    expect(isRangeFresh('W/"abc"', VERSION)).toBe(false);
    expect(isRangeFresh(SAME_SECOND, VERSION)).toBe(true);
    expect(isRangeFresh(BEFORE, VERSION)).toBe(false);
  });
});

describe('conditions of writes', () => {
  it('C-5: takes * and lists', () => {
    expect(parseWritePrecondition(new Map([['if-none-match', '*']]))).toEqual({
      ifMatch: null,
      ifNoneMatch: ['*'],
    });
    expect(parseWritePrecondition(new Map([['if-match', '"a", W/"b"']]))).toEqual({
      ifMatch: ['a'],
      ifNoneMatch: null,
    });
    expect(parseWritePrecondition(new Map())).toBeNull();
  });

  it('C-5: conditions on dates are refused by name', () => {
    const headers = new Map([['if-modified-since', SAME_SECOND]]);
    expect(() => parseWritePrecondition(headers)).toThrow(
      refusal('NotImplemented', { detail: { Header: 'if-modified-since' } }),
    );
  });

  it.each([
    ['C-5', { ifMatch: null, ifNoneMatch: ['*'] }, 'abc', 'PreconditionFailed'],
    ['C-5', { ifMatch: null, ifNoneMatch: ['*'] }, null, null],
    ['C-6', { ifMatch: ['abc'], ifNoneMatch: null }, null, 'NoSuchKey'],
    ['C-6', { ifMatch: ['*'], ifNoneMatch: null }, 'abc', null],
    ['C-6', { ifMatch: ['x'], ifNoneMatch: null }, 'abc', 'PreconditionFailed'],
  ])('%s: %j on etag %s → %s', (_rule, precondition, etag, code) => {
    const current = etag === null ? null : ({ etag, isDeleteMarker: false } as never);
    const check = (): void => refuseEarly(precondition, current);
    if (code === null) expect(check).not.toThrow();
    else expect(check).toThrow(refusal(code as S3ErrorCode));
  });

  it('C-5: a delete marker counts as absent', () => {
    const marker = { etag: '', isDeleteMarker: true } as never;
    expect(() => refuseEarly({ ifMatch: null, ifNoneMatch: ['*'] }, marker)).not.toThrow();
    expect(() => refuseEarly({ ifMatch: ['*'], ifNoneMatch: null }, marker)).toThrow(
      refusal('NoSuchKey'),
    );
  });
});
