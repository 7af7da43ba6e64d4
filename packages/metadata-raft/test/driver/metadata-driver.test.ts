import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { seededRandom, silentLogger, systemClock } from '@azimuth/common';

import { DEFAULT_RAFT_CONFIG } from '../../src/core/config';
import { createMetadataDriver } from '../../src/driver/metadata-driver';
import type { MetadataDriver, MetadataDriverOptions } from '../../src/driver/metadata-driver';
import type { RaftGroup } from '../../src/driver/state-machine';
import { openFileLogDisk } from '../../src/disk/file-log-disk';
import { MemoryTransportHub } from '../../src/transport/memory-transport';
import { encodeCommand, RegisterMachine } from './register-machine';

const VOTERS = ['n1', 'n2', 'n3'];

interface Node {
  readonly id: string;
  readonly driver: MetadataDriver;
  readonly machine: RegisterMachine;
  readonly group: RaftGroup;
}

class Cluster {
  readonly hub = new MemoryTransportHub();
  readonly nodes = new Map<string, Node>();
  readonly fatal: unknown[] = [];
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  async start(id: string, more: Partial<MetadataDriverOptions> = {}): Promise<Node> {
    const driver = createMetadataDriver({
      nodeId: id,
      voters: VOTERS,
      disk: await openFileLogDisk(join(this.#directory, id)),
      whenEmpty: 'bootstrap',
      bootId: 'boot',
      transport: this.hub.transport(id),
      clock: systemClock,
      random: seededRandom(id.charCodeAt(1)),
      logger: silentLogger,
      onFatal: (error) => this.fatal.push(error),
      tickMs: 10,
      raft: { ...DEFAULT_RAFT_CONFIG, electionTimeoutTicksMin: 10 },
      ...more,
    });
    const machine = new RegisterMachine();
    const group = driver.addGroup('root', machine);
    await driver.start();
    const node = { id, driver, machine, group };
    this.nodes.set(id, node);
    return node;
  }

  async stop(id: string): Promise<void> {
    await this.nodes.get(id)?.driver.close();
    this.nodes.delete(id);
  }

  async leader(): Promise<Node> {
    return eventually(() =>
      [...this.nodes.values()].find(({ group }) => group.status().role === 'leader'),
    );
  }
}

async function eventually<T>(probe: () => T | undefined | false): Promise<T> {
  for (let attempt = 0; attempt < 2000; attempt += 1) {
    const found = probe();
    if (found !== undefined && found !== false) return found;
    await systemClock.sleep(5);
  }
  throw new Error('it did not happen');
}

const write = (key: string, value: string): Buffer =>
  encodeCommand({ id: `${key}=${value}`, key, value });

describe('metadata driver over real files', () => {
  let directory: string;
  let cluster: Cluster;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'azimuth-driver-'));
    cluster = new Cluster(directory);
  });

  afterEach(async () => {
    for (const id of [...cluster.nodes.keys()]) await cluster.stop(id);
    await rm(directory, { recursive: true, force: true });
    expect(cluster.fatal).toEqual([]);
  });

  it('answers a proposal with the result of apply, and replicates it', async () => {
    for (const id of VOTERS) await cluster.start(id);
    const leader = await cluster.leader();
    const index = await leader.group.propose(write('a', '1'));
    expect(leader.machine.registers.get('a')).toEqual({ value: '1', version: index });
    await leader.group.readIndex();
    for (const { machine } of cluster.nodes.values()) {
      await eventually(() => machine.registers.get('a')?.value === '1');
    }
  });

  it('lets a follower apply in large batches, and a leader at once', async () => {
    const leader = await cluster.start('n1');
    const follower = await cluster.start('n2', { tickMs: 3_600_000 });
    await eventually(() => leader.group.status().role === 'leader');
    const propose = (name: string, count: number): Promise<unknown> =>
      Promise.all(
        Array.from({ length: count }, (_, n) => leader.group.propose(write(name, `${n}`))),
      );
    await propose('few', 10);
    expect(leader.machine.registers.get('few')?.value).toBe('9');
    await eventually(() => follower.group.status().commitIndex > 10);
    expect(follower.group.status().lastApplied).toBe(0);
    await propose('many', 64);
    await eventually(() => follower.machine.registers.has('many'));
  });

  it('pitfall 30: a wall clock that jumps by an hour fires no timer', async () => {
    let jumps = 0;
    const clock = {
      ...systemClock,
      wallMs: () => {
        jumps += 1;
        return systemClock.wallMs() + (jumps % 2 === 0 ? -3_600_000 : 3_600_000);
      },
    };
    for (const id of VOTERS) await cluster.start(id, { clock });
    const leader = await cluster.leader();
    const { term } = leader.group.status();
    for (let round = 0; round < 20; round += 1) {
      await leader.group.propose(write(`key-${round}`, '1'));
      await leader.group.readIndex();
    }
    expect(leader.group.status()).toMatchObject({ role: 'leader', term });
  });

  it('refuses proposals and reads on a follower and names the leader', async () => {
    for (const id of VOTERS) await cluster.start(id);
    const leader = await cluster.leader();
    const follower = [...cluster.nodes.values()].find(({ id }) => id !== leader.id)!;
    await eventually(() => follower.group.leader() === leader.id);
    const refusal = { code: 'NOT_LEADER', detail: { leader: leader.id } };
    await expect(follower.group.propose(write('a', '1'))).rejects.toMatchObject(refusal);
    await expect(follower.group.readIndex()).rejects.toMatchObject(refusal);
  });

  it('elects another leader when the leader stops, and keeps what was acknowledged', async () => {
    for (const id of VOTERS) await cluster.start(id);
    const first = await cluster.leader();
    await first.group.propose(write('a', '1'));
    await cluster.stop(first.id);
    const second = await cluster.leader();
    await second.group.readIndex();
    expect(second.machine.registers.get('a')?.value).toBe('1');
  });

  it('brings a node up to date with a snapshot when the log is gone (pitfall 25)', async () => {
    const more = { compactionBytesMin: 4096, trailingEntries: 4, logBytesMax: 1e9 };
    for (const id of VOTERS) await cluster.start(id, more);
    const leader = await cluster.leader();
    const late = VOTERS.find((id) => id !== leader.id)!;
    await cluster.stop(late);
    for (let round = 0; round < 20; round += 1) {
      await Promise.all(
        Array.from({ length: 20 }, (_, key) =>
          leader.group.propose(write(String(key), String(round).repeat(20))),
        ),
      );
    }
    const { machine } = await cluster.start(late, more);
    await eventually(() => machine.lastApplied() === leader.machine.lastApplied());
    expect(await machine.stateHash()).toBe(await leader.machine.stateHash());
  });

  it('rebuilds the state machine after a restart of the machine, not of the process', async () => {
    for (const id of VOTERS) await cluster.start(id);
    const leader = await cluster.leader();
    await leader.group.propose(write('a', '1'));
    for (const id of VOTERS) await cluster.stop(id);
    for (const id of VOTERS) await cluster.start(id, { bootId: 'other boot' });
    const next = await cluster.leader();
    await next.group.readIndex();
    expect(next.machine.registers.get('a')?.value).toBe('1');
  });

  it('hands leadership over without losing a write (pitfall 22)', async () => {
    for (const id of VOTERS) await cluster.start(id);
    const leader = await cluster.leader();
    const target = VOTERS.find((id) => id !== leader.id)!;
    await leader.group.propose(write('a', '1'));
    await leader.group.transferLeadership(target);
    const next = await eventually(() => {
      const node = cluster.nodes.get(target)!;
      return node.group.status().role === 'leader' ? node : undefined;
    });
    await next.group.readIndex();
    expect(next.machine.registers.get('a')?.value).toBe('1');
  });

  it('tells the proposer that the outcome is unknown when leadership is lost', async () => {
    for (const id of VOTERS) await cluster.start(id);
    const leader = await cluster.leader();
    cluster.hub.setIsolated(leader.id, true);
    await expect(leader.group.propose(write('a', '1'))).rejects.toMatchObject({
      code: 'OUTCOME_UNKNOWN',
    });
    cluster.hub.setIsolated(leader.id, false);
  });
});
