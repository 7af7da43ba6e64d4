import type { Random } from '@azimuth/common';
import { PERFECT_NETWORK } from '@azimuth/testkit';
import type { SimFileDisk, SimNetwork, VirtualClock } from '@azimuth/testkit';

import { decodeRecord } from '../../../packages/metadata-raft/src/log/wal-segment';

import type { SimNode } from './sim-node';
import type { Swarm } from './swarm';

export interface NemesisOptions {
  readonly swarm: Swarm;
  readonly clock: VirtualClock;
  readonly random: Random;
  readonly network: SimNetwork;
  readonly nodes: ReadonlyMap<string, SimNode>;
  readonly disks: ReadonlyMap<string, SimFileDisk>;
  readonly onTrace: (event: string) => void;
}

/** Only this disk rots or is lost, so that every acknowledged entry has a whole copy in a majority. */
const ROTTING_NODE = 'n1';

/** Causes the faults of a seed until it is told to heal everything. */
export class Nemesis {
  readonly #options: NemesisOptions;
  #isActive = false;
  crashes = 0;
  membershipChanges = 0;

  constructor(options: NemesisOptions) {
    this.#options = options;
  }

  start(): void {
    const { swarm } = this.#options;
    this.#isActive = true;
    this.#repeat(swarm.crashesPerSecond, () => this.#crashOne());
    this.#repeat(swarm.partitionsPerSecond, () => this.#partition());
    this.#repeat(swarm.pausesPerSecond, () => this.#pauseOne());
    this.#repeat(swarm.transfersPerSecond, () => this.#transfer());
    this.#repeat(swarm.membershipChangesPerSecond, () => this.#changeMembership());
    if (swarm.syncFailures) this.#repeat(0.1, () => this.#failSync());
  }

  /** Kills `node` just after its vote left, so that a forgotten vote can be cast again (pitfall 5). */
  onVote(node: SimNode): void {
    const { clock, random, swarm } = this.#options;
    if (!this.#isActive || random.next() >= swarm.crashesAfterVote) return;
    clock.schedule(random.next(), () => {
      if (this.#isActive && node.isUp) this.#crash(node, 5 + random.next() * 50);
    });
  }

  /** From now on nothing fails, and everything that is down comes back. */
  heal(): void {
    const { network, disks, nodes } = this.#options;
    this.#isActive = false;
    network.healAll();
    network.faults = PERFECT_NETWORK;
    for (const disk of disks.values()) disk.isNextSyncFailing = false;
    for (const node of nodes.values()) {
      if (node.isFenced) node.crash('process');
      if (!node.isUp) node.start();
    }
  }

  /**
   * From now on everything goes well between all others, and never again for these: they are down,
   * cut off in both or in one direction, or they die over and over.
   */
  abandon(abandoned: readonly SimNode[]): void {
    const { network, nodes, random, onTrace } = this.#options;
    const ids = [...nodes.keys()];
    network.healAll();
    for (const node of abandoned) {
      const fate =
        (['down', 'both', 'in', 'out', 'restarting'] as const)[random.below(5)] ?? 'down';
      onTrace(`${node.id} is abandoned: ${fate}`);
      if (fate === 'down') node.crash('process');
      else if (fate === 'restarting') this.#restartForEver(node);
      else network.isolate(node.id, ids, fate);
    }
  }

  /** Nobody hears of anybody. */
  silence(): void {
    const { network, nodes } = this.#options;
    for (const id of nodes.keys()) network.isolate(id, [...nodes.keys()], 'both');
  }

  #restartForEver(node: SimNode): void {
    const { clock, random } = this.#options;
    clock.schedule(200 + random.next() * 2_000, () => {
      if (node.isUp) node.crash('process');
      else node.start();
      this.#restartForEver(node);
    });
  }

  #repeat(perSecond: number, action: () => void): void {
    if (perSecond === 0) return;
    const { clock, random } = this.#options;
    clock.schedule((2000 / perSecond) * random.next(), () => {
      if (!this.#isActive) return;
      action();
      this.#repeat(perSecond, action);
    });
  }

  /** Half the time a leader: what goes wrong there matters most. */
  #victim(): SimNode {
    const { nodes, random } = this.#options;
    const all = [...nodes.values()];
    const leaders = all.filter((node) => node.leadsAny);
    const from = leaders.length > 0 && random.below(2) === 0 ? leaders : all;
    return from[random.below(from.length)] as SimNode;
  }

  #crashOne(): void {
    const node = this.#victim();
    if (node.isUp || node.isFenced) this.#crash(node, 100 + this.#options.random.next() * 3_000);
  }

  #crash(node: SimNode, downMs: number): void {
    const { clock, random, swarm, nodes } = this.#options;
    this.crashes += 1;
    const isPower = random.next() < swarm.powerShare;
    node.crash(isPower ? 'power' : 'process');
    if (node.id === ROTTING_NODE && nodes.size > 1 && swarm.diskLosses && random.below(3) === 0) {
      node.replaceDisk();
    }
    // It rots by itself, not together with a power cut that forgets how far the log was synced.
    if (swarm.flips && node.id === ROTTING_NODE && nodes.size > 1 && !isPower) this.#rot();
    clock.schedule(downMs, () => {
      if (this.#isActive) node.start();
    });
  }

  /** Turns a bit over in front of the last batch; that one alone could be taken for torn. */
  #rot(): void {
    const { disks, random, onTrace } = this.#options;
    const disk = disks.get(ROTTING_NODE);
    if (disk === undefined) return;
    const names = [...disk.sizes().keys()].filter((name) => name.startsWith('wal-')).sort();
    const name = names[random.below(names.length)];
    if (name === undefined) return;
    const range =
      name === names.at(-1) ? lastBatchOffset(disk.contents(name)) : disk.sizes().get(name);
    if (range === undefined || range === 0) return;
    disk.flip(name, random.below(range), 1 << random.below(8));
    onTrace(`rot ${name}`);
  }

  #failSync(): void {
    const { disks, random } = this.#options;
    const disk = [...disks.values()][random.below(disks.size)];
    if (disk !== undefined) disk.isNextSyncFailing = true;
  }

  #pauseOne(): void {
    const node = this.#victim();
    if (node.isUp) node.pause(200 + this.#options.random.next() * 4_000);
  }

  #transfer(): void {
    const { swarm, nodes, random } = this.#options;
    const group = swarm.groups[random.below(swarm.groups.length)] as string;
    const leader = [...nodes.values()].find((node) => node.isLeaderOf(group));
    const target = [...nodes.keys()][random.below(nodes.size)] as string;
    // It may fail for many reasons, all of them allowed here.
    leader
      ?.group(group)
      ?.transferLeadership(target)
      .catch(() => undefined);
  }

  /**
   * Takes in learners, makes voters of some, drops others: one step at a time, and most of them
   * meet faults on the way. A disk that rots needs two others in every set, or a group could be
   * left with nobody who knows.
   */
  #changeMembership(): void {
    const { swarm, nodes, random, onTrace } = this.#options;
    const group = swarm.groups[random.below(swarm.groups.length)] as string;
    const leader = [...nodes.values()].find((node) => node.isLeaderOf(group));
    const membership = leader?.group(group)?.membership();
    if (leader === undefined || membership === undefined) return;
    const { voters, learners } = membership.configuration;
    const pool = [...voters, ...learners].sort(() => random.below(2) - 0.5);
    const votersMin = swarm.flips || swarm.diskLosses ? 3 : 1;
    const count = votersMin + random.below(Math.max(1, pool.length - votersMin + 1));
    const chosen = random.below(3) === 0 ? voters : pool.slice(0, count);
    const others = [...nodes.keys()].filter((id) => !voters.includes(id) && !chosen.includes(id));
    const target = { voters: chosen, learners: others.filter(() => random.below(3) > 0) };
    onTrace(`${leader.id} changes ${group} to ${JSON.stringify(target)}`);
    // It may be refused for many reasons, all of them allowed here.
    leader
      .group(group)
      ?.changeMembership(target, membership.configurationIndex)
      .then(
        () => (this.membershipChanges += 1),
        () => undefined,
      );
  }

  #partition(): void {
    const { nodes, network, random, clock, onTrace } = this.#options;
    const ids = [...nodes.keys()];
    const victim = this.#victim().id;
    switch (random.below(6)) {
      case 0:
      case 1:
      case 2:
        network.isolate(victim, ids, 'both');
        break;
      case 3:
        network.isolate(victim, ids, random.below(2) === 0 ? 'in' : 'out');
        break;
      case 4:
        network.cut(victim, ids[random.below(ids.length)] as string);
        break;
      default:
        for (const a of ids) {
          for (const b of ids) if (random.below(4) === 0) network.cut(a, b);
        }
    }
    onTrace(`partition around ${victim}`);
    clock.schedule(200 + random.next() * 5_000, () => {
      // What is cut at the end is cut for good.
      if (this.#isActive) network.healAll();
    });
  }
}

/** Where the last batch of a segment starts; the whole length when it has none. */
function lastBatchOffset(bytes: Buffer): number {
  let batch = 0;
  let start = bytes.length;
  for (let offset = 0; offset < bytes.length;) {
    const record = decodeRecord(bytes, offset);
    if (record === null) {
      offset += 1;
      continue;
    }
    if (record.batch !== batch) start = offset;
    batch = record.batch;
    offset += record.sizeBytes;
  }
  return start;
}
