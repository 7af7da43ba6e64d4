import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { seededRandom, silentLogger, StoreError, systemClock } from '@azimuth/common';
import { decodeRecord, encodeRecord } from '@azimuth/proto';
import type { BlobWitness, SessionResponse } from '@azimuth/proto';
import type { PeerIdentity } from '@azimuth/rpc';

import type { RaftGroup } from '../../src/driver/state-machine';
import { FindingsLog } from '../../src/server/findings-log';
import { GroupEndpoint } from '../../src/server/group-endpoint';
import { NodeMonitor } from '../../src/server/node-monitor';
import { SessionService } from '../../src/server/session-service';
import { LevelKeyValueStore } from '../../src/state-machine/level-key-value-store';
import type { IndexMachine } from '../state-machine/index-fixture';
import {
  blobData,
  blobOf,
  BUCKET_ID,
  draftOf,
  IndexDriver,
  openIndex,
  START_MS,
} from '../state-machine/index-fixture';

const CURATOR: PeerIdentity = { clusterId: 'c', role: 'curator', nodeId: 'curator-a', zone: 'a' };
const OTHER = 'f'.repeat(32);

/** A group that is not led from here: a witness speaks for its own replica. */
const FOLLOWER: RaftGroup = {
  propose: () => Promise.reject(new StoreError('NOT_LEADER')),
  readIndex: () => Promise.reject(new StoreError('NOT_LEADER')),
  status: () => {
    const indexes = { commitIndex: 0, lastApplied: 0 };
    const flags = { isTermApplied: false, isDamaged: false };
    return { role: 'follower', term: 1, leader: null, ...flags, ...indexes };
  },
  leader: () => null,
  onLeadershipChange: () => () => undefined,
  transferLeadership: () => Promise.resolve(),
  membership: () => {
    throw new Error('not asked');
  },
  changeMembership: () => Promise.resolve(),
};

function serviceOver(machine: IndexMachine, corrupt: string[] = []): SessionService {
  const common = { group: FOLLOWER, clock: systemClock, random: seededRandom(1) };
  const index = new GroupEndpoint({ ...common, name: 'index-0', machine });
  return new SessionService({
    nodeId: 'm2',
    zone: 'b',
    root: { group: FOLLOWER } as never,
    onIntent: () => Promise.reject(new StoreError('UNAVAILABLE')),
    indexes: new Map([['index-0', index]]),
    monitor: new NodeMonitor(1_000),
    clock: systemClock,
    logger: silentLogger,
    findings: new FindingsLog(systemClock),
    onCorrupt: (group) => corrupt.push(group),
  });
}

async function ask(service: SessionService, blobIds: string[], peer = CURATOR) {
  const body = encodeRecord({ kind: 'witness', group: 'index-0', blobIds });
  return decodeRecord(await service.handle(body, peer)) as SessionResponse;
}

const commit = (key: string, number: number) => ({
  ...{ bucketId: BUCKET_ID, key, versioning: 'unversioned', precondition: null },
  draft: draftOf(key, 100, 'e'),
  data: blobData(blobOf(key, number)),
});

describe('witnesses of blobs', () => {
  it('a follower says what its replica holds, and up to which time', async () => {
    const driver = await IndexDriver.open();
    await driver.run('CommitVersion', commit('a', 1));
    const service = serviceOver(driver.machine);
    expect(await ask(service, [blobOf('a', 1).blobId, OTHER])).toEqual({
      ok: true,
      result: { nodeId: 'm2', appliedMs: START_MS, isReferenced: [true, false] },
    });
  });

  it('storage nodes may not ask, and malformed ids are refused', async () => {
    const service = serviceOver((await IndexDriver.open()).machine);
    const storage: PeerIdentity = { ...CURATOR, role: 'storage' };
    expect(await ask(service, [OTHER], storage)).toMatchObject({ code: 'PERMISSION_DENIED' });
    expect(await ask(service, ['x'])).toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  it('pitfall 23: a replica that is being installed vouches for no time', async () => {
    const driver = await IndexDriver.open();
    await driver.run('CommitVersion', commit('a', 1));
    const { lastIncludedIndex, chunks } = await driver.machine.createSnapshot();
    const whole: Buffer[] = [];
    for await (const chunk of chunks) whole.push(chunk);
    const target = await openIndex();
    const seen: number[] = [];
    const slowly = async function* (): AsyncGenerator<Buffer> {
      for (const chunk of whole) {
        seen.push(target.nowMs);
        yield await Promise.resolve(chunk);
      }
    };
    await target.installSnapshot(lastIncludedIndex, slowly());
    await target.installSnapshot(lastIncludedIndex, slowly());
    expect(new Set(seen)).toEqual(new Set([0]));
    expect(target.nowMs).toBe(START_MS);
  });

  /** Why one replica is no proof: a flipped byte of a key hides its record without an error. */
  it('P4: a replica that lost a record to a flipped byte differs from one that did not', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'azimuth-witness-'));
    try {
      const open = () => LevelKeyValueStore.open(directory, () => undefined);
      const blobs = Array.from({ length: 40 }, (_, number) => blobOf(`key-${number}`, number));
      const healthy = await IndexDriver.open();
      const rotten = await IndexDriver.open(await open());
      for (const number of blobs.keys()) {
        await healthy.run('CommitVersion', commit(`key-${number}`, number));
        await rotten.run('CommitVersion', commit(`key-${number}`, number));
      }
      await rotten.machine.close();
      // A log record that fails its checksum is dropped in silence with what follows in its block.
      const store = join(directory, 'store');
      const log = readdirSync(store).find((name) => name.endsWith('.log'))!;
      const bytes = readFileSync(join(store, log));
      bytes[bytes.length >> 1]! ^= 1;
      writeFileSync(join(store, log), bytes);
      const ids = blobs.map(({ blobId }) => blobId);
      const again = await openIndex(await open());
      const answers = await Promise.all(
        [again, healthy.machine].map((machine) => ask(serviceOver(machine), ids)),
      );
      const [lost, kept] = answers.map((answer) =>
        answer.ok ? (answer.result as BlobWitness).isReferenced : [],
      );
      expect(lost).toContain(false);
      expect(kept).not.toContain(false);
      await again.close();
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });
});
