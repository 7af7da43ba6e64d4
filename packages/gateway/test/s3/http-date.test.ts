import fc from 'fast-check';

import { isoDate } from '../../src/s3/http-date';

describe('isoDate', () => {
  it('V-22: writes any time as Date does, in whole seconds, whatever was written before', () => {
    const timeMs = fc.integer({ min: -10 * 86_400_000, max: 5_000 * 86_400_000 });
    fc.assert(
      fc.property(fc.array(timeMs, { maxLength: 20 }), (times) => {
        expect(times.map(isoDate)).toEqual(
          times.map((each) => new Date(Math.floor(each / 1000) * 1000).toISOString()),
        );
      }),
    );
    expect(() => isoDate(Number.NaN)).toThrow(RangeError);
    expect(isoDate(0)).toBe('1970-01-01T00:00:00.000Z');
  });
});
