import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { seededRandom, silentLogger, systemClock } from '@azimuth/common';

import { DEFAULT_RAFT_CONFIG } from '../../src/core/config';
import { createMetadataDriver } from '../../src/driver/metadata-driver';
import type { MetadataDriver, MetadataDriverOptions } from '../../src/driver/metadata-driver';
import type { Finding, RaftGroup } from '../../src/driver/state-machine';
import { openFileLogDisk } from '../../src/disk/file-log-disk';
import { MemoryTransportHub } from '../../src/transport/memory-transport';
import { encodeCommand, RegisterMachine } from './register-machine';

const VOTERS = ['n1', 'n2', 'n3'];
/** A turn of proposals alone is more than six times as long, which is another story. */
const COMPACTING = { compactionBytesMin: 2048, trailingEntries: 4, logBytesMax: 1e9 };

interface Node {
  readonly id: string;
  readonly driver: MetadataDriver;
  readonly machine: RegisterMachine;
  readonly group: RaftGroup;
  readonly findings: Finding[];
  readonly fatal: unknown[];
}

const write = (key: string, value: string): Buffer =>
  encodeCommand({ id: `${key}=${value}`, key, value });

async function eventually<T>(probe: () => T | undefined | false): Promise<T> {
  for (let attempt = 0; attempt < 2000; attempt += 1) {
    const found = probe();
    if (found !== undefined && found !== false) return found;
    await systemClock.sleep(5);
  }
  throw new Error('it did not happen');
}

/** What one metadata node finds damaged on its own disk it gets back without an operator. */
describe('damage of what a metadata node stores', () => {
  let directory: string;
  const hub = new MemoryTransportHub();
  const nodes = new Map<string, Node>();

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'azimuth-healing-'));
  });

  afterEach(async () => {
    for (const id of [...nodes.keys()]) await stop(id);
    await rm(directory, { recursive: true, force: true });
  });

  async function start(id: string, more: Partial<MetadataDriverOptions> = {}): Promise<Node> {
    const findings: Finding[] = [];
    const fatal: unknown[] = [];
    const driver = createMetadataDriver({
      nodeId: id,
      voters: VOTERS,
      disk: await openFileLogDisk(join(directory, id)),
      whenEmpty: 'bootstrap',
      bootId: 'boot',
      transport: hub.transport(id),
      clock: systemClock,
      random: seededRandom(id.charCodeAt(1)),
      logger: silentLogger,
      onFatal: (error) => fatal.push(error),
      onFinding: (finding) => findings.push(finding),
      tickMs: 10,
      raft: { ...DEFAULT_RAFT_CONFIG, electionTimeoutTicksMin: 10 },
      ...COMPACTING,
      ...more,
    });
    const machine = new RegisterMachine();
    const group = driver.addGroup('root', machine);
    await driver.start();
    const node = { id, driver, machine, group, findings, fatal };
    nodes.set(id, node);
    return node;
  }

  async function stop(id: string): Promise<void> {
    await nodes.get(id)?.driver.close();
    nodes.delete(id);
  }

  const leader = (): Promise<Node> =>
    eventually(() => [...nodes.values()].find(({ group }) => group.status().role === 'leader'));

  async function fill(node: Node, rounds: number): Promise<void> {
    for (let round = 0; round < rounds; round += 1) {
      const values = Array.from({ length: 20 }, (_, key) =>
        node.group.propose(write(String(key), String(round).repeat(20))),
      );
      await Promise.all(values);
    }
  }

  const configurationIndexOf = (group: RaftGroup): number => group.membership().configurationIndex;

  async function fillAndSettle(): Promise<Node> {
    const first = await leader();
    await fill(first, 20);
    await eventually(() => first.group.membership().isSettled);
    return first;
  }

  /** Damages the snapshots, once none is being written. */
  async function flip(id: string, offset: number): Promise<void> {
    let names: readonly string[] = [];
    for (let calm = 0; calm < 10; calm += 1) {
      await systemClock.sleep(5);
      const found = (await readdir(join(directory, id))).filter((name) => /^snapshot-/.test(name));
      if (found.join() !== names.join()) calm = 0;
      names = found;
    }
    for (const name of names) {
      const path = join(directory, id, name);
      const bytes = await readFile(path);
      bytes.writeUInt8(bytes.readUInt8(offset) ^ 0x20, offset);
      await writeFile(path, bytes);
    }
  }

  async function expectEqualReplicas(): Promise<void> {
    const first = await leader();
    await first.group.propose(write('last', 'one'));
    const index = first.machine.lastApplied();
    for (const { machine } of nodes.values()) {
      await eventually(() => machine.lastApplied() >= index);
      expect(await machine.stateHash()).toBe(await first.machine.stateHash());
    }
  }

  it.each([
    ['its header', 9],
    ['a chunk', 60],
  ])('rebuilds a replica from its peers when %s of its snapshot is damaged', async (_, offset) => {
    for (const id of VOTERS) await start(id);
    const first = await leader();
    await fill(first, 20);
    const victim = VOTERS.find((id) => id !== first.id)!;
    await eventually(() => nodes.get(victim)!.machine.lastApplied() > 300);
    await stop(victim);
    await flip(victim, offset);
    const { findings, group } = await start(victim, { bootId: 'after a power cut' });
    expect(findings).toEqual([{ group: 'root', problem: 'state', remedy: 'peers' }]);
    expect(group.status().isDamaged).toBe(true);
    await eventually(() => !group.status().isDamaged);
    await expectEqualReplicas();
  });

  it('does not forget a group that no other node has', async () => {
    const voters = ['n1'];
    const single = await start('n1', { voters });
    await leader();
    await fill(single, 20);
    await stop('n1');
    await flip('n1', 60);
    const reopened = start('n1', { voters, bootId: 'after a power cut' });
    await expect(reopened).rejects.toMatchObject({ code: 'STATE_CORRUPT' });
  });

  it('does not forget a group whose other voters have left since the log starts', async () => {
    for (const id of VOTERS) await start(id);
    const { id, group } = await fillAndSettle();
    await group.changeMembership({ voters: [id], learners: [] }, configurationIndexOf(group));
    for (const each of VOTERS) await stop(each);
    await flip(id, 60);
    const reopened = start(id, { bootId: 'after a power cut' });
    await expect(reopened).rejects.toMatchObject({ code: 'STATE_CORRUPT' });
  });

  it('forgets a condemned group of a log that started before there were other voters', async () => {
    const alone = { voters: ['n1'] };
    const first = await start('n1', alone);
    await leader();
    await first.group.propose(write('a', '1'));
    for (const id of ['n2', 'n3']) await start(id, { ...alone, whenEmpty: 'join' });
    for (const [voters, learners] of [
      [['n1'], ['n2', 'n3']],
      [VOTERS, []],
    ] as const) {
      await eventually(() => first.group.membership().isSettled);
      const members = (): boolean =>
        first.group
          .membership()
          .members.every(({ isAlive, matchIndex }) => isAlive && matchIndex > 0);
      await eventually(members);
      await first.group.changeMembership({ voters, learners }, configurationIndexOf(first.group));
    }
    await first.driver.condemn('root');
    await stop('n1');
    const { group, findings } = await start('n1', alone);
    expect(findings).toEqual([{ group: 'root', problem: 'state', remedy: 'peers' }]);
    expect(group.membership().configuration.voters).toEqual(VOTERS);
    await eventually(() => !group.status().isDamaged);
    await expectEqualReplicas();
  });

  it('replaces a damaged snapshot by one of the live state, and goes on serving', async () => {
    for (const id of VOTERS) await start(id);
    const first = await leader();
    await fill(first, 20);
    await flip(first.id, 60);
    await first.driver.verifySnapshots(() => Promise.resolve());
    expect(first.findings).toEqual([{ group: 'root', problem: 'snapshot', remedy: 'local' }]);
    await fill(first, 1);
    await first.driver.verifySnapshots(() => Promise.resolve());
    expect(first.findings).toHaveLength(1);
    expect(first.group.status().role).toBe('leader');
  });

  it('brings a late node up to date although the leader’s snapshot was damaged', async () => {
    for (const id of VOTERS) await start(id);
    const first = await leader();
    const late = VOTERS.find((id) => id !== first.id)!;
    await stop(late);
    await fill(first, 20);
    await flip(first.id, 60);
    const { machine } = await start(late);
    await eventually(() => machine.lastApplied() === first.machine.lastApplied());
    expect(first.findings).toContainEqual({ group: 'root', problem: 'snapshot', remedy: 'local' });
    await expectEqualReplicas();
  });

  it('takes a condemned group from its leader, snapshot and all', async () => {
    for (const id of VOTERS) await start(id);
    const first = await leader();
    await fill(first, 20);
    const victim = nodes.get(VOTERS.find((id) => id !== first.id)!)!;
    await eventually(() => victim.machine.lastApplied() > 300);
    // As if LevelDB had lost a record: no checksum is wrong.
    victim.machine.registers.delete('7');
    await victim.driver.condemn('root');
    expect(victim.fatal).toMatchObject([{ code: 'STATE_CORRUPT' }]);
    await stop(victim.id);
    const { group, findings } = await start(victim.id);
    expect(findings).toEqual([{ group: 'root', problem: 'state', remedy: 'peers' }]);
    await eventually(() => !group.status().isDamaged);
    await expectEqualReplicas();
    expect((await readdir(join(directory, victim.id))).join()).not.toContain('condemned');
  });

  it('keeps the log of a condemned group that nobody else is known to have', async () => {
    for (const id of VOTERS) await start(id);
    const first = await fillAndSettle();
    const victim = nodes.get(VOTERS.find((id) => id !== first.id)!)!;
    await eventually(() => victim.machine.lastApplied() === first.machine.lastApplied());
    await victim.driver.condemn('root');
    await stop(victim.id);
    const tails: unknown[] = [];
    const isHeldByOthers = (_group: string, tail: { index: number }): Promise<boolean> => {
      tails.push(tail.index);
      return Promise.resolve(false);
    };
    const { group, findings } = await start(victim.id, { isHeldByOthers });
    expect(tails).toEqual([first.group.status().lastApplied]);
    expect(group.status().isDamaged).toBe(false);
    expect(findings.filter(({ remedy }) => remedy === 'peers')).toEqual([]);
    expect((await readdir(join(directory, victim.id))).join()).not.toContain('condemned');
    await expectEqualReplicas();
  });
});
