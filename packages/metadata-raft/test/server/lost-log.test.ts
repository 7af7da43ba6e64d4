import { StoreError } from '@azimuth/common';
import { encodeRecord } from '@azimuth/proto';

import { meaningOfEmptyLog } from '../../src/server/lost-log';
import type { PeerSession } from '../../src/server/lost-log';

const diskWith = (...names: string[]) => ({ list: () => Promise.resolve(names) });
const peer = (...commitIndexes: number[]): PeerSession => ({
  call: () => {
    const groups = commitIndexes.map((commitIndex) => ({ commitIndex }));
    return Promise.resolve(encodeRecord({ ok: true, result: { groups } }));
  },
});
const silent: PeerSession = { call: () => Promise.reject(new StoreError('UNAVAILABLE')) };

describe('an empty log directory', () => {
  it('is a new node when no peer knows of anything, and when none answers', async () => {
    for (const peers of [[], [silent, silent], [peer(0, 0), silent]]) {
      expect(await meaningOfEmptyLog('bootstrap', diskWith(), peers)).toBe('bootstrap');
    }
  });

  it('pitfall 17: is a lost disk when any peer knows of committed entries', async () => {
    expect(await meaningOfEmptyLog('bootstrap', diskWith(), [silent, peer(0, 3)])).toBe('rejoin');
    expect(await meaningOfEmptyLog('rejoin', diskWith(), [silent])).toBe('rejoin');
  });

  it('asks nobody when there is a log', async () => {
    const asked: PeerSession = { call: () => Promise.reject(new Error('asked')) };
    expect(await meaningOfEmptyLog('bootstrap', diskWith('raft-state'), [asked])).toBe('bootstrap');
  });
});
