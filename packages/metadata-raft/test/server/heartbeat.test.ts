import { seededRandom, silentLogger, StoreError, systemClock } from '@azimuth/common';
import { decodeRecord, encodeRecord } from '@azimuth/proto';
import type { SessionResponse } from '@azimuth/proto';
import type { PeerIdentity } from '@azimuth/rpc';

import type { RaftGroup } from '../../src/driver/state-machine';
import { FindingsLog } from '../../src/server/findings-log';
import { GroupEndpoint } from '../../src/server/group-endpoint';
import { NodeMonitor } from '../../src/server/node-monitor';
import { SessionService } from '../../src/server/session-service';
import { openCluster } from '../state-machine/root-fixture';
import type { RootDriver } from '../state-machine/root-fixture';

const STORAGE: PeerIdentity = { clusterId: 'c', role: 'storage', nodeId: 'a1', zone: 'a' };
const entry = (nodeId: string) => ({
  ...{ nodeId, zone: 'a', host: 'h', port: 1, incarnation: null },
  ...{ state: 'voter' as const, mayLead: true },
});

function leader(isTermApplied: boolean): RaftGroup {
  return {
    propose: () => Promise.reject(new StoreError('UNAVAILABLE')),
    // Whoever waits for a quorum here makes every node look silent after a stall.
    readIndex: () => new Promise(() => undefined),
    status: () => ({
      ...{ role: 'leader', term: 2, leader: 'm1', commitIndex: 0, lastApplied: 0 },
      ...{ isTermApplied, isDamaged: false },
    }),
    leader: () => 'm1',
    onLeadershipChange: () => () => undefined,
    transferLeadership: () => Promise.resolve(),
    membership: () => {
      throw new Error('not asked');
    },
    changeMembership: () => Promise.resolve(),
  };
}

describe('heartbeats of storage nodes', () => {
  const monitor = new NodeMonitor(1_000);
  let driver: RootDriver;

  beforeAll(async () => {
    driver = await openCluster();
    const put = [entry('m-old')];
    await driver.run('ChangeMetadataNodes', { expected: [], put, remove: [] });
  });

  async function beat(isTermApplied: boolean, nodeId = STORAGE.nodeId): Promise<unknown> {
    const { machine } = driver;
    const group = leader(isTermApplied);
    const common = { clock: systemClock, random: seededRandom(1), logger: silentLogger };
    const service = new SessionService({
      ...{ nodeId: 'm1', zone: 'a', indexes: new Map(), monitor, ...common },
      root: new GroupEndpoint({ ...common, name: 'root', group, machine }),
      findings: new FindingsLog(systemClock),
      onIntent: () => Promise.reject(new StoreError('UNAVAILABLE')),
      onCorrupt: () => undefined,
    });
    const heartbeat = { nodeId, incarnation: 'i1', disks: [] };
    const body = encodeRecord({ kind: 'heartbeat', heartbeat });
    const answer = decodeRecord(await service.handle(body, { ...STORAGE, nodeId }));
    return (answer as Extract<SessionResponse, { ok: true }>).result;
  }

  it('a leader that has just been elected hears them, and tells no old list of metadata nodes', async () => {
    expect(await beat(false)).toEqual({ isRegistered: true });
    expect(await beat(false, 'nobody')).toEqual({ isRegistered: true });
    expect(monitor.sightings.has(STORAGE.nodeId)).toBe(true);
  });

  it('a leader that knows all that was committed tells them who the metadata nodes are', async () => {
    const metadataNodes = [entry('m-old')];
    expect(await beat(true)).toEqual({ isRegistered: true, metadataNodes });
    expect(await beat(true, 'nobody')).toEqual({ isRegistered: false, metadataNodes });
  });
});
