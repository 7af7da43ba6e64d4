import type { StorageNodeEntry } from '@azimuth/placement';
import { systemClock } from '@azimuth/common';
import type { Clock } from '@azimuth/common';

import { BulkSessions, sessionHeaders } from '../src/bulk-session';

const NODE = { nodeId: 'a-storage-1', incarnation: '1' } as StorageNodeEntry;
const HOUR_MS = 3_600_000;
const START_MS = 10 * HOUR_MS;
const REQUEST = { method: 'GET', target: '/shards/d/b/0', contentLength: 0 };

describe('keys of storage nodes whose clocks are wrong', () => {
  let monotonicMs = 0;
  let ourOffsetMs = 0;
  let nodeOffsetMs = 0;
  let issued = 0;
  const clock: Clock = {
    ...systemClock,
    monotonicMs: () => monotonicMs,
    wallMs: () => START_MS + monotonicMs + ourOffsetMs,
  };
  const nodeNowMs = (): number => START_MS + monotonicMs + nodeOffsetMs;
  const makeSessions = (): BulkSessions =>
    new BulkSessions(() => {
      issued += 1;
      return Promise.resolve({
        ...{ sessionId: 's', key: Buffer.alloc(32), generation: '1' },
        expiresMs: nodeNowMs() + 600_000,
        issuedMs: nodeNowMs(),
      });
    }, clock);

  beforeEach(() => {
    monotonicMs = 0;
    ourOffsetMs = 0;
    issued = 0;
  });

  it.each([HOUR_MS, -HOUR_MS])(
    'an offset of %d ms of the node costs no key and no refusal',
    async (offsetMs) => {
      nodeOffsetMs = offsetMs;
      const sessions = makeSessions();
      const session = await sessions.sessionOf(NODE);
      monotonicMs += 120_000;
      expect(sessions.sessionOf(NODE)).toBe(session);
      const expires = /x-azimuth-expires: (\d+)/.exec(
        sessionHeaders(session, REQUEST, monotonicMs),
      );
      // In the node's time: not over, and not beyond what the node gives a request.
      expect(Number(expires?.[1]) - nodeNowMs()).toBe(60_000);
      expect(issued).toBe(1);
    },
  );

  it('a step of our own clock changes nothing', async () => {
    nodeOffsetMs = 0;
    const sessions = makeSessions();
    const session = await sessions.sessionOf(NODE);
    ourOffsetMs = HOUR_MS;
    expect(sessions.sessionOf(NODE)).toBe(session);
    monotonicMs += 560_000;
    await sessions.sessionOf(NODE);
    expect(issued).toBe(2);
  });
});
