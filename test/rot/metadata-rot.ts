import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

import { seededRandom, silentLogger, systemClock } from '@azimuth/common';
import type { Random } from '@azimuth/common';

import { DEFAULT_RAFT_CONFIG } from '../../packages/metadata-raft/src/core/config';
import { createMetadataDriver } from '../../packages/metadata-raft/src/driver/metadata-driver';
import type { MetadataDriver } from '../../packages/metadata-raft/src/driver/metadata-driver';
import { openFileLogDisk } from '../../packages/metadata-raft/src/disk/file-log-disk';
import { FindingsLog } from '../../packages/metadata-raft/src/server/findings-log';
import { GroupEndpoint } from '../../packages/metadata-raft/src/server/group-endpoint';
import {
  IntegrityGuard,
  integrityOf,
} from '../../packages/metadata-raft/src/server/integrity-guard';
import { GroupStateMachine } from '../../packages/metadata-raft/src/state-machine/group-state-machine';
import { IndexCommandSet } from '../../packages/metadata-raft/src/state-machine/index-commands';
import { LevelKeyValueStore } from '../../packages/metadata-raft/src/state-machine/level-key-value-store';
import { SeparatedStore } from '../../packages/metadata-raft/src/state-machine/separated-store';
import {
  BUCKET_ID,
  commandOf,
  draftOf,
  inlineData,
} from '../../packages/metadata-raft/test/state-machine/index-fixture';
import { MemoryTransportHub } from '../../packages/metadata-raft/src/transport/memory-transport';
import type { RotOutcome } from './flipped-byte';
import { filesBelow, flipByteOf, isStillFlipped } from './flipped-byte';

const VOTERS = ['n1', 'n2', 'n3'];
const GROUP = 'index-0';
const VICTIM = 'n3';
const KEYS = 60;
const WAIT_MS_MAX = 20_000;
const SCRUB_PERIOD_MS = 3_600_000;
const noPace = (): Promise<void> => Promise.resolve();

export const METADATA_FILE_KINDS = {
  log: /^log\/wal-/,
  'terms and votes': /^log\/raft-state$/,
  snapshot: /^log\/snapshot-/,
  'boot record': /^log\/boot-id$/,
  'state (LevelDB)': /^state\/.*\/store\/(?!LOCK|LOG)/,
  'state (values)': /^values\/.*\/values-/,
} as const;
export type MetadataFileKind = keyof typeof METADATA_FILE_KINDS;

type Machine = GroupStateMachine<IndexCommandSet>;

interface Node {
  readonly id: string;
  readonly driver: MetadataDriver;
  readonly machine: Machine;
  readonly endpoint: GroupEndpoint<IndexCommandSet>;
  readonly guard: IntegrityGuard;
  readonly fatal: unknown[];
}

/** Three replicas of an index group in one process; the files of one of them rot. */
export class MetadataRot {
  readonly #directory: string;
  readonly #random: Random;
  readonly #hub = new MemoryTransportHub();
  readonly #nodes = new Map<string, Node>();
  readonly #findings = new FindingsLog(systemClock);
  #boots = 0;
  #writes = 0;

  constructor(directory: string, random: Random) {
    this.#directory = directory;
    this.#random = random;
  }

  async prepare(): Promise<void> {
    for (const id of VOTERS) await this.#start(id);
    for (let round = 0; round < 4; round += 1) await this.#write(KEYS);
    await this.#agree();
  }

  /** One byte of a random file of `kind`, found between a stop and a start of the node. */
  async flip(kind: MetadataFileKind): Promise<RotOutcome> {
    await this.#write(5);
    await this.#agree();
    await this.#stop(VICTIM);
    const root = join(this.#directory, VICTIM);
    const files = filesBelow(root).filter((path) => METADATA_FILE_KINDS[kind].test(path));
    if (files.length === 0) throw new Error(`no file of kind ${kind}`);
    const path = join(root, files[this.#random.below(files.length)] ?? '');
    const flipped = flipByteOf(path, this.#random);
    const findingsBefore = this.#findingCount();
    const isPowerCut = this.#random.below(2) === 0;
    if (isPowerCut) this.#boots += 1;

    await this.#start(VICTIM);
    // Once to find what is damaged, and again to see that nothing is left.
    for (let round = 0; round < 3; round += 1) {
      await this.#check();
      await this.#agree();
    }
    const isEqual = await this.#areEqual();
    if (!isEqual) return 'WRONG';
    const isFound = this.#findingCount() > findingsBefore;
    if (isFound || !isStillFlipped(flipped)) return 'repaired';
    return 'harmless';
  }

  async close(): Promise<void> {
    for (const id of [...this.#nodes.keys()]) await this.#stop(id);
  }

  async #start(id: string): Promise<void> {
    const root = join(this.#directory, id);
    mkdirSync(root, { recursive: true });
    const level = await LevelKeyValueStore.open(
      join(root, 'state', GROUP),
      () => undefined,
      65_536,
    );
    const values = await openFileLogDisk(join(root, 'values', GROUP));
    const machine = await GroupStateMachine.open(
      await SeparatedStore.open({ base: level, disk: values }),
      (records, counters) => new IndexCommandSet(records, counters),
      SCRUB_PERIOD_MS,
    );
    const fatal: unknown[] = [];
    const random = seededRandom(id.charCodeAt(1) + this.#writes);
    const driver = createMetadataDriver({
      nodeId: id,
      voters: VOTERS,
      disk: await openFileLogDisk(join(root, 'log')),
      whenEmpty: 'bootstrap',
      bootId: `boot-${id === VICTIM ? this.#boots : 0}`,
      transport: this.#hub.transport(id),
      clock: systemClock,
      random,
      logger: silentLogger,
      onFatal: (error) => fatal.push(error),
      onFinding: (finding) => {
        if (id === VICTIM) this.#findings.add(finding);
      },
      tickMs: 10,
      raft: { ...DEFAULT_RAFT_CONFIG, electionTimeoutTicksMin: 20, electionTimeoutTicksMax: 40 },
      compactionBytesMin: 32 * 1024,
      trailingEntries: 8,
    });
    const group = driver.addGroup(GROUP, machine);
    const endpoint = new GroupEndpoint({
      ...{ name: GROUP, group, machine, clock: systemClock, random },
    });
    await driver.start();
    const guard = new IntegrityGuard({
      nodeId: id,
      endpoints: [endpoint],
      driver,
      periodMs: SCRUB_PERIOD_MS,
      findings: this.#findings,
      askPeers: () => Promise.resolve(this.#statuses(id)),
      onCorrupt: (_group, error) => {
        machine.condemn();
        fatal.push(error);
      },
      clock: systemClock,
      logger: silentLogger,
    });
    this.#nodes.set(id, { id, driver, machine, endpoint, guard, fatal });
  }

  async #stop(id: string): Promise<void> {
    const node = this.#nodes.get(id);
    this.#nodes.delete(id);
    await node?.driver.close();
    await node?.machine.close();
  }

  /** What the guard of the damaged node does in a period, and `main` when the node gives up. */
  async #check(): Promise<void> {
    await this.#agree();
    for (const { machine } of this.#nodes.values()) {
      machine.census.begin();
      await machine.census.read(noPace).catch((error: unknown) => {
        this.#victim.machine.condemn();
        this.#victim.fatal.push(error);
      });
    }
    if (this.#victim.fatal.length === 0) await this.#victim.guard.tour();
    if (this.#victim.fatal.length === 0) await this.#victim.guard.compare();
    await this.#restartFailed();
  }

  async #restartFailed(): Promise<void> {
    if (this.#victim.fatal.length === 0) return;
    await this.#stop(VICTIM);
    await this.#start(VICTIM);
  }

  /** Resolves when all three have applied the same, restarting the damaged one as `main` does. */
  async #agree(): Promise<void> {
    await this.#until(async () => {
      await this.#restartFailed();
      const nodes = [...this.#nodes.values()];
      const leader = nodes.find(({ endpoint }) => endpoint.isLeader);
      if (leader === undefined) return false;
      return nodes.every(
        ({ machine, endpoint }) =>
          machine.lastApplied() === leader.machine.lastApplied() &&
          machine.lastApplied() >= leader.endpoint.group.status().commitIndex &&
          !endpoint.group.status().isDamaged,
      );
    });
  }

  async #areEqual(): Promise<boolean> {
    const marks: (string | undefined)[] = [];
    for (const { machine } of this.#nodes.values()) {
      machine.census.begin();
      const mark = await machine.census.read(noPace);
      marks.push(`${mark?.index} ${mark?.hash} ${await machine.stateHash()}`);
    }
    return new Set(marks).size === 1;
  }

  async #write(count: number): Promise<void> {
    for (let at = 0; at < count; at += 1) {
      this.#writes += 1;
      const text = String(this.#writes).repeat(20 + 150 * (this.#writes % 3));
      const key = `key-${this.#writes % KEYS}`;
      const draft = draftOf(key, text.length, 'e');
      const data = inlineData(text);
      const args = { bucketId: BUCKET_ID, key, versioning: 'unversioned', data, draft };
      await this.#until(async () => {
        const leader = [...this.#nodes.values()].find(({ endpoint }) => endpoint.isLeader);
        if (leader === undefined) return false;
        const command = commandOf('CommitVersion', { ...args, precondition: null }, Date.now());
        return leader.endpoint.submit(command).then(
          () => true,
          () => false,
        );
      });
    }
  }

  #statuses(self: string) {
    return [...this.#nodes.values()]
      .filter(({ id }) => id !== self)
      .map(({ id, endpoint }) => {
        const { role, term, leader, commitIndex, lastApplied } = endpoint.group.status();
        const integrity = integrityOf(endpoint);
        const group = { group: GROUP, role, term, leader, commitIndex, lastApplied, integrity };
        return { nodeId: id, zone: id, groups: [group], storage: [] };
      });
  }

  get #victim(): Node {
    const node = this.#nodes.get(VICTIM);
    if (node === undefined) throw new Error('the node does not run');
    return node;
  }

  #findingCount(): number {
    const problems = ['log', 'votes', 'snapshot', 'state', 'replica'] as const;
    return problems.reduce((sum, problem) => sum + this.#findings.count(problem), 0);
  }

  async #until(isDone: () => Promise<boolean>): Promise<void> {
    const endMs = performance.now() + WAIT_MS_MAX;
    while (!(await isDone())) {
      if (performance.now() > endMs) throw new Error('the replicas do not agree');
      await systemClock.sleep(5);
    }
  }
}
