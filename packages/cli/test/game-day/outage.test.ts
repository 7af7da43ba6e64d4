import { outageOf } from '../../src/game-day/outage';
import type { RequestFailure, RequestKind } from '../../src/game-day/workload';

const failed = (kind: RequestKind, atMs: number): RequestFailure => ({ kind, atMs, reason: '' });

describe('the outage of a scenario (P3)', () => {
  it('lasts from the fault to the last failure of its kind before it was healed', () => {
    const failures = [failed('read', 90), failed('read', 130), failed('write', 150)];
    expect(outageOf([...failures, failed('read', 300)], [100], 300)).toEqual({
      read: 30,
      write: 50,
    });
    expect(outageOf([failed('read', 90)], [100], 300)).toEqual({ read: 0, write: 0 });
  });

  it('begins again with each fault: zone after zone has its own time', () => {
    const failures = [failed('write', 110), failed('write', 10_020), failed('write', 20_005)];
    expect(outageOf(failures, [100, 10_000, 20_000], 30_000)).toEqual({ read: 0, write: 20 });
  });
});
