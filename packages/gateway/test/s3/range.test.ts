import fc from 'fast-check';

import { contentRange, decideRange } from '../../src/s3/range';

describe('ranges', () => {
  it.each([
    ['bytes=0-0', 10, [0, 1]],
    ['bytes=2-5', 10, [2, 6]],
    ['bytes=5-', 10, [5, 10]],
    ['bytes=5-99', 10, [5, 10]],
    ['bytes=-3', 10, [7, 10]],
    ['bytes=-99', 10, [0, 10]],
    ['BYTES=0-1', 10, [0, 2]],
  ])('%s of %d bytes is %j', (header, sizeBytes, [from, to]) => {
    expect(decideRange(header, sizeBytes)).toEqual({ kind: 'partial', range: { from, to } });
  });

  it.each(['bytes=10-', 'bytes=10-20', 'bytes=-0', 'bytes=99999999999999999999-'])(
    '%s of 10 bytes cannot be satisfied',
    (header) => expect(decideRange(header, 10).kind).toBe('unsatisfiable'),
  );

  it.each([
    ['bytes=0-', 'unsatisfiable'],
    ['bytes=0-0', 'unsatisfiable'],
    ['bytes=-0', 'unsatisfiable'],
    ['bytes=-1', 'whole'],
    ['bytes=a-z', 'whole'],
  ])('%s of an empty object: %s (RFC 9110, section 14.1.2)', (header, kind) =>
    expect(decideRange(header, 0).kind).toBe(kind),
  );

  it.each([
    undefined,
    '',
    'bytes=',
    'bytes=-',
    'bytes=5-2',
    'bytes=a-b',
    'items=0-1',
    'bytes=0-1,3-4',
    'bytes= -1',
    'bytes=0 -1',
    'bytes=--1',
    'bytes=0--1',
    'bytes=100-x',
  ])('ignores %s (RFC 9110, section 14.2)', (header) =>
    expect(decideRange(header, 10).kind).toBe('whole'),
  );

  it('selects what slicing would', () => {
    fc.assert(
      fc.property(fc.nat(50), fc.nat(60), fc.nat(60), (sizeBytes, first, length) => {
        const bytes = Buffer.alloc(sizeBytes, 1).map((_, index) => index);
        const decision = decideRange(`bytes=${first}-${first + length}`, sizeBytes);
        const expected = bytes.subarray(first, first + length + 1);
        if (decision.kind === 'partial') {
          expect(bytes.subarray(decision.range.from, decision.range.to)).toEqual(expected);
          expect(contentRange(decision.range, sizeBytes)).toBe(
            `bytes ${expected.at(0)}-${expected.at(-1)}/${sizeBytes}`,
          );
        } else {
          expect(decision.kind).toBe('unsatisfiable');
          expect(expected.length).toBe(0);
        }
      }),
    );
  });
});
