import { seededRandom, silentLogger, StoreError } from '@azimuth/common';
import type { ClusterMapDelta, ClusterMapDocument, WatchResult } from '@azimuth/proto';
import { VirtualClock } from '@azimuth/testkit';

import type { WatchingMetadataClient, WatchRequest } from '../src/session-metadata-client';
import { createClusterView } from '../src/watched-cluster-view';

const EMPTY = { nodes: [], disks: [], groups: [], buckets: [] };
const NOTHING_REMOVED = { removedGroups: [], removedBuckets: [], removedIdentities: [] };
const KEY = { kind: 'token-key', name: 'k' } as const;
const RECORD = { keyId: 'k', secret: 's', createdMs: 1 };

function full(version: number, changes: Partial<ClusterMapDocument> = {}): WatchResult {
  const settings = { region: 'r' } as ClusterMapDocument['settings'];
  const map = { ...EMPTY, settings, identities: [], identityRevision: 0, ...changes };
  return { kind: 'full', version, map };
}

function delta(version: number, changes: Partial<ClusterMapDelta> = {}): WatchResult {
  const map = { ...EMPTY, ...NOTHING_REMOVED, identities: [], identityRevision: 0, ...changes };
  return { kind: 'delta', version, map };
}

/** A view and the questions that it asks; the test gives the answers. */
function begin(withIdentities?: boolean) {
  const clock = new VirtualClock();
  const asked: WatchRequest[] = [];
  const waiting: ((result: WatchResult | Error) => void)[] = [];
  const metadata = {
    watch: (request: WatchRequest) => {
      asked.push(request);
      return new Promise<WatchResult>((resolve, reject) => {
        waiting.push((result) => {
          if (result instanceof Error) reject(result);
          else resolve(result);
        });
      });
    },
  } as unknown as WatchingMetadataClient;
  const options = { metadata, clock, random: seededRandom(1), logger: silentLogger };
  const view = createClusterView({
    ...options,
    ...(withIdentities === undefined ? {} : { withIdentities }),
  });
  const answer = async (result: WatchResult | Error): Promise<void> => {
    waiting.shift()?.(result);
    await clock.runUntil(clock.monotonicMs() + 1_000);
  };
  return { view, asked, answer };
}

describe('the watched view', () => {
  it('asks for identities only where it is told to', () => {
    expect(begin().asked).toEqual([{ since: 0, waitMs: 0, withIdentities: false }]);
    expect(begin(true).asked).toEqual([{ since: 0, waitMs: 0, withIdentities: true }]);
  });

  it('asks from what it has taken on: so the leader knows what is in force', async () => {
    const { asked, answer } = begin(true);
    await answer(full(5));
    await answer({ kind: 'unchanged', version: 5 });
    await answer(delta(8));
    await answer(new StoreError('UNAVAILABLE'));
    expect(asked.map(({ since }) => since)).toEqual([0, 5, 5, 8, 8]);
  });

  it('holds identities as of the last answer', async () => {
    const { view, answer } = begin(true);
    expect(view.identities().revision).toBe(0);
    await answer(full(5, { identities: [{ ...KEY, record: RECORD }], identityRevision: 3 }));
    const before = view.identities();
    expect([before.revision, before.get('token-key', 'k')]).toEqual([3, RECORD]);
    await answer(delta(6, { identityRevision: 3 }));
    expect(view.identities()).toBe(before);
    await answer(delta(8, { removedIdentities: [KEY], identityRevision: 8 }));
    expect(view.identities().revision).toBe(8);
    expect(view.identities().get('token-key', 'k')).toBeNull();
    await answer(full(9, { identityRevision: 0 }));
    expect(view.identities().revision).toBe(0);
    expect(before.get('token-key', 'k')).toEqual(RECORD);
    view.close();
  });
});
