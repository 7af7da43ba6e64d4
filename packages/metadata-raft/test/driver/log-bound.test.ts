import { seededRandom, silentLogger, systemClock } from '@azimuth/common';
import type { StateMark } from '@azimuth/proto';

import { createMetadataDriver } from '../../src/driver/metadata-driver';
import type { MetadataDriver } from '../../src/driver/metadata-driver';
import type { Finding } from '../../src/driver/state-machine';
import { encodeEntry } from '../../src/state-machine/entry-codec';
import { MemoryKeyValueStore } from '../../src/state-machine/memory-key-value-store';
import { SeparatedStore } from '../../src/state-machine/separated-store';
import { MemoryTransportHub } from '../../src/transport/memory-transport';
import { RamDisk } from '../log/ram-disk';
import {
  BUCKET_ID,
  commandOf,
  draftOf,
  inlineData,
  openIndex,
  START_MS,
} from '../state-machine/index-fixture';
import type { IndexMachine } from '../state-machine/index-fixture';

const KIB = 1024;
const COMPACTION_BYTES = 16 * KIB;
const SEGMENT_BYTES = 4 * KIB;
const GROUP = 'index-0';
const BODY = 'x'.repeat(2_000);

/** The only voter of a cluster: what is proposed is applied. */
class Lonely {
  readonly log = new RamDisk();
  readonly values = new RamDisk();
  base = new MemoryKeyValueStore();
  readonly fatal: unknown[] = [];
  readonly findings: Finding[] = [];
  driver!: MetadataDriver;
  machine!: IndexMachine;
  #boots = 0;

  async start(idleGroups: readonly string[] = []): Promise<void> {
    this.#boots += 1;
    const store = await SeparatedStore.open({ base: this.base, disk: this.values });
    this.machine = await openIndex(store);
    this.driver = createMetadataDriver({
      ...{ nodeId: 'n1', voters: ['n1'], disk: this.log, whenEmpty: 'bootstrap' },
      bootId: `boot-${this.#boots}`,
      transport: new MemoryTransportHub().transport('n1'),
      ...{ clock: systemClock, random: seededRandom(1), logger: silentLogger, tickMs: 5 },
      onFatal: (error) => this.fatal.push(error),
      onFinding: (finding) => this.findings.push(finding),
      ...{ compactionBytesMin: COMPACTION_BYTES, trailingEntries: 1_000_000 },
      wal: { segmentBytesMax: SEGMENT_BYTES, groupBytesTarget: 2 * COMPACTION_BYTES },
    });
    this.#group = this.driver.addGroup(GROUP, this.machine);
    for (const name of idleGroups) this.driver.addGroup(name, await openIndex());
    await this.driver.start();
    while (this.#group.status().role !== 'leader') await systemClock.sleep(1);
  }

  #group!: ReturnType<MetadataDriver['addGroup']>;

  async put(key: string, body = BODY): Promise<void> {
    const at = { bucketId: BUCKET_ID, key, versioning: 'unversioned', precondition: null };
    const args = { ...at, draft: draftOf(key, body.length, 'e'), data: inlineData(body) };
    await this.#group.propose(encodeEntry(START_MS, commandOf('CommitVersion', args, START_MS)));
  }

  async names(prefix: string): Promise<string[]> {
    return (await this.log.list()).filter((name) => name.startsWith(prefix)).sort();
  }

  async logBytes(): Promise<number> {
    const names = await this.names('wal-');
    return names.reduce((sum, name) => sum + this.log.contents(name).length, 0);
  }

  census(): Promise<StateMark | null> {
    this.machine.census.begin();
    return this.machine.census.read(() => Promise.resolve());
  }

  /** Nothing that was not synced is believed. */
  async cutPower(): Promise<void> {
    await this.driver.close();
    this.base = new MemoryKeyValueStore();
    await this.start();
  }
}

/** Files of snapshots cannot be opened before the answer is called. */
function stopSnapshots(disk: RamDisk): () => void {
  const open = disk.open.bind(disk);
  let letGo = (): void => undefined;
  const isReleased = new Promise<void>((resolve) => (letGo = resolve));
  disk.open = async (name) => {
    if (name.startsWith('snapshot-')) await isReleased;
    return open(name);
  };
  return letGo;
}

describe('the log and the snapshots of a group', () => {
  let node: Lonely;

  beforeEach(() => {
    node = new Lonely();
  });

  afterEach(() => node.driver.close());

  it('the log is bounded however many objects there are, by snapshots of changes', async () => {
    await node.start();
    let logBytesMax = 0;
    let filesMax = 0;
    for (let key = 0; key < 400; key += 1) {
      await node.put(`key-${key}`);
      logBytesMax = Math.max(logBytesMax, await node.logBytes());
      filesMax = Math.max(filesMax, (await node.names('snapshot-')).length);
    }
    // One snapshot's worth before the last snapshot, one since, and what comes while it is made.
    expect(logBytesMax).toBeLessThan(3 * COMPACTION_BYTES);
    expect(filesMax).toBeGreaterThan(2);
    const index = node.machine.lastApplied();
    const before = await node.census();
    await node.cutPower();
    await node.put('key-7');
    expect(node.machine.lastApplied()).toBeGreaterThan(index);
    // Every record and every body is read.
    expect((await node.census())?.index).toBe(node.machine.lastApplied());
    expect(before?.index).toBe(index);
    expect(node.fatal).toEqual([]);
  });

  it('a damaged whole snapshot is replaced though changes continue it meanwhile', async () => {
    await node.start();
    let keys = 0;
    const putUntil = async (isDone: (names: string[]) => boolean): Promise<void> => {
      while (!isDone(await node.names('snapshot-'))) {
        await node.put(`key-${keys}`);
        keys += 1;
      }
    };
    // A small whole snapshot would be replaced by itself.
    await putUntil(() => keys > 200);
    await putUntil(({ length }) => length === 1);
    await putUntil(({ length }) => length === 2);
    const [whole, before] = await node.names('snapshot-');
    node.log.flipLive(whole!, 60);
    const open = node.log.open.bind(node.log);
    node.log.open = async (name) => {
      if (name === whole) {
        node.log.open = open;
        await putUntil((names) => names.at(-1) !== before);
        await node.put('so that the snapshot is marked in the log');
      }
      return open(name);
    };
    await node.driver.verifySnapshots(() => Promise.resolve());
    expect(node.findings).toEqual([{ group: GROUP, problem: 'snapshot', remedy: 'local' }]);
    for (let wait = 0; wait < 400 && (await node.names('snapshot-')).includes(whole!); wait += 1) {
      await systemClock.sleep(5);
    }
    expect(await node.names('snapshot-')).not.toContain(whole);
    const index = node.machine.lastApplied();
    await node.cutPower();
    await node.put('key-7');
    expect(node.machine.lastApplied()).toBeGreaterThan(index);
    expect(node.fatal).toEqual([]);
  });

  it('a node that failed closes its files: another opens them in the same process', async () => {
    await node.start();
    for (let key = 0; key < 20; key += 1) await node.put(`key-${key}`);
    node.log.isSyncFailing = true;
    await expect(node.put('lost')).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN' });
    await node.driver.close();
    await node.machine.close();
    expect(node.fatal).toMatchObject([{ code: 'DISK_FENCED' }]);
    expect([node.log.openFiles, node.values.openFiles]).toEqual([0, 0]);
  });

  it('snapshots that do not keep up stop the writers, not the disk', async () => {
    // With another group beside it: nobody presses one that has more than its share of the log.
    await node.start(['index-1']);
    const letGo = stopSnapshots(node.log);
    // Few of them are most of the log: to cut off half of the entries is not enough.
    const smallOnes = 12;
    let keys = 0;
    const fill = async (): Promise<void> => {
      for (; keys < 1_000; keys += 1) {
        await node.put(`key-${keys}`, keys < smallOnes ? 'x' : BODY.repeat(20));
      }
    };
    await expect(fill()).rejects.toMatchObject({ code: 'OVERLOADED' });
    expect(await node.logBytes()).toBeGreaterThan(6 * COMPACTION_BYTES);
    expect(await node.logBytes()).toBeLessThan(10 * COMPACTION_BYTES);
    letGo();
    let isTaken = false;
    for (let wait = 0; wait < 400 && !isTaken; wait += 1) {
      await systemClock.sleep(5);
      isTaken = await node.put('after').then(
        () => true,
        () => false,
      );
    }
    expect(isTaken).toBe(true);
    expect(node.fatal).toEqual([]);
  });

  it('a group that is idle does not hold on to the segments of the others', async () => {
    await node.start(['index-1']);
    const [first] = await node.names('wal-');
    for (let key = 0; key < 200; key += 1) await node.put(`key-${key}`);
    for (let wait = 0; wait < 400 && (await node.names('wal-')).includes(first!); wait += 1) {
      await systemClock.sleep(5);
    }
    expect(await node.names('wal-')).not.toContain(first);
  });
});
