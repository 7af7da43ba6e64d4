import {
  assert,
  AssertionError,
  backoffMs,
  hasCode,
  isStoreErrorCode,
  mapLimited,
  required,
  seededRandom,
  startAdminServer,
  StoreError,
} from '@azimuth/common';
import { Registry } from 'prom-client';

describe('assert and errors', () => {
  it('crashes on a bug and passes otherwise', () => {
    expect(() => assert(false, 'impossible')).toThrow(AssertionError);
    expect(required(0, 'zero')).toBe(0);
    expect(() => required(null, 'leader')).toThrow(/leader is missing/);
  });

  it('tells errors apart by code', () => {
    const error = new StoreError('NOT_LEADER', { leader: 'meta-a' });
    expect(hasCode(error, 'TIMEOUT', 'NOT_LEADER')).toBe(true);
    expect(hasCode(new Error('NOT_LEADER'), 'NOT_LEADER')).toBe(false);
    expect(error.isRetryable).toBe(true);
    expect(isStoreErrorCode('toString')).toBe(false);
  });
});

describe('backoffMs', () => {
  it('stays within the doubling ceiling and the maximum', () => {
    const random = seededRandom(7);
    for (let attempt = 0; attempt < 64; attempt += 1) {
      const delayMs = backoffMs(attempt, { baseMs: 10, maxMs: 500 }, random);
      expect(delayMs).toBeLessThanOrEqual(Math.min(500, 10 * 2 ** attempt));
    }
  });
});

describe('seededRandom', () => {
  it('repeats its sequence', () => {
    const [a, b] = [seededRandom(42), seededRandom(42)];
    expect(a.bytes(32)).toEqual(b.bytes(32));
    expect(a.below(1000)).toBe(b.below(1000));
  });
});

describe('mapLimited', () => {
  it('keeps order and never runs more than the limit', async () => {
    let running = 0;
    let most = 0;
    const results = await mapLimited([1, 2, 3, 4, 5], 2, async (item) => {
      running += 1;
      most = Math.max(most, running);
      await Promise.resolve();
      running -= 1;
      return item * 2;
    });
    expect(results).toEqual([2, 4, 6, 8, 10]);
    expect(most).toBe(2);
  });
});

describe('startAdminServer', () => {
  it('tells live, ready and metrics apart', async () => {
    let isReady = false;
    const server = await startAdminServer(
      { registry: new Registry(), isLive: () => true, isReady: () => isReady },
      { host: '127.0.0.1', port: 0 },
    );
    const status = async (path: string): Promise<number> =>
      (await fetch(`http://127.0.0.1:${server.port}${path}`)).status;
    expect(await status('/livez')).toBe(200);
    expect(await status('/readyz')).toBe(503);
    isReady = true;
    expect(await status('/readyz')).toBe(200);
    expect(await status('/metrics')).toBe(200);
    expect(await status('/secrets')).toBe(404);
    await server.close();
  });
});
