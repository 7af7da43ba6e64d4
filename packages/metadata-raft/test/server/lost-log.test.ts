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
const node = (whenEmpty: 'bootstrap' | 'rejoin' | 'join') => ({ nodeId: 'n1', whenEmpty });
const knowing = (incarnation: string | null): PeerSession => ({
  call: () => {
    const metadataNodes = [{ nodeId: 'n1', incarnation }];
    return Promise.resolve(encodeRecord({ ok: true, result: { groups: [], metadataNodes } }));
  },
});
const silent: PeerSession = { call: () => Promise.reject(new StoreError('UNAVAILABLE')) };

describe('an empty log directory', () => {
  it('is a new node when no peer knows of anything, and when none answers', async () => {
    for (const peers of [[], [silent, silent], [peer(0, 0), silent]]) {
      expect(await meaningOfEmptyLog(node('bootstrap'), diskWith(), peers)).toBe('bootstrap');
    }
  });

  it('pitfall 17: is a lost disk when any peer knows of committed entries', async () => {
    expect(await meaningOfEmptyLog(node('bootstrap'), diskWith(), [silent, peer(0, 3)])).toBe(
      'rejoin',
    );
    expect(await meaningOfEmptyLog(node('rejoin'), diskWith(), [silent])).toBe('rejoin');
  });

  it('asks nobody when there is a log', async () => {
    const asked: PeerSession = { call: () => Promise.reject(new Error('asked')) };
    expect(await meaningOfEmptyLog(node('bootstrap'), diskWith('raft-state'), [asked])).toBe(
      'bootstrap',
    );
  });

  it('pitfall 17: is refused when root knows the log that is gone, and says what to do', async () => {
    for (const whenEmpty of ['bootstrap', 'join'] as const) {
      const asked = meaningOfEmptyLog(node(whenEmpty), diskWith(), [silent, knowing('x')]);
      await expect(asked).rejects.toMatchObject({
        code: 'ALREADY_EXISTS',
        detail: { hint: expect.stringContaining('azimuth metadata replace n1') as string },
      });
    }
    // An operator who knows may say so; one that was only announced has had no log.
    expect(await meaningOfEmptyLog(node('rejoin'), diskWith(), [knowing('x')])).toBe('rejoin');
    expect(await meaningOfEmptyLog(node('join'), diskWith(), [knowing(null)])).toBe('join');
  });
});
