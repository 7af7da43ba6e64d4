import { LINK_SCENARIOS, NODE_FAULT_SCENARIOS } from './link-scenarios';
import { ZONE_LOSS } from './scenario';
import type { Scenario } from './scenario';

export const SCENARIOS: readonly Scenario[] = [
  {
    name: 'calm',
    story: 'Nothing happens: what the others are compared with. No request may fail.',
    needs: [],
    outageMsMax: { read: 0, write: 0 },
    inject: () => Promise.resolve(),
    heal: () => Promise.resolve(),
  },
  {
    name: 'zone-kill',
    story: 'Every process of the zone that leads the root group is killed.',
    needs: [],
    outageMsMax: ZONE_LOSS,
    inject: async (cluster) => cluster.zone('kill', await cluster.leadingZone()),
    heal: (cluster) => cluster.startStopped(),
  },
  {
    name: 'zone-freeze',
    story: 'Every process of the leading zone stops without a word: connections stay open.',
    needs: [],
    outageMsMax: ZONE_LOSS,
    inject: async (cluster) => cluster.zone('freeze', await cluster.leadingZone()),
    heal: (cluster) => cluster.thawFrozen(),
  },
  {
    name: 'leader-kill',
    story: 'The metadata node that leads the root group is killed.',
    needs: [],
    outageMsMax: ZONE_LOSS,
    inject: async (cluster) => cluster.node('kill', await cluster.leadingNode()),
    heal: (cluster) => cluster.startStopped(),
  },
  {
    name: 'storage-kill',
    story: 'One storage node is killed.',
    needs: [],
    outageMsMax: ZONE_LOSS,
    inject: (cluster) => cluster.node('kill', cluster.anyNode('storage')),
    heal: (cluster) => cluster.startStopped(),
  },
  {
    name: 'storage-freeze',
    story: 'One storage node answers nothing, and its connections stay open.',
    needs: [],
    outageMsMax: ZONE_LOSS,
    inject: (cluster) => cluster.node('freeze', cluster.anyNode('storage')),
    heal: (cluster) => cluster.thawFrozen(),
  },
  {
    name: 'gateway-kill',
    story: 'One gateway is killed; clients come through the front door.',
    needs: [],
    outageMsMax: ZONE_LOSS,
    inject: (cluster) => cluster.node('kill', cluster.anyNode('gateway')),
    heal: (cluster) => cluster.startStopped(),
  },
  {
    name: 'node-wipe',
    story: 'A storage node is killed, all it kept is deleted, and it starts with empty disks.',
    needs: [],
    outageMsMax: ZONE_LOSS,
    inject: async (cluster) => {
      const node = cluster.anyNode('storage');
      await cluster.node('kill', node);
      cluster.wipeDisks(node);
    },
    heal: (cluster) => cluster.startStopped(),
  },
  {
    name: 'bit-rot',
    story: 'Fifty random bits flip in the segment files of one storage node.',
    needs: [],
    outageMsMax: ZONE_LOSS,
    inject: (cluster) => {
      cluster.flipBits(cluster.anyNode('storage'), 50);
      return Promise.resolve();
    },
    heal: () => Promise.resolve(),
  },
  {
    name: 'rolling-restart',
    story: 'Zone after zone is killed and started again once the one before is protected.',
    needs: [],
    outageMsMax: ZONE_LOSS,
    inject: async (cluster) => {
      for (const zone of cluster.zones()) {
        await cluster.zone('kill', zone);
        await cluster.startStopped();
        await cluster.waitUntilProtected();
      }
    },
    heal: () => Promise.resolve(),
  },
  {
    name: 'power-loss',
    story: 'Every process of every zone is killed at once, and all start again.',
    needs: [],
    outageMsMax: null,
    inject: (cluster) => cluster.zone('kill', ...cluster.zones()),
    heal: (cluster) => cluster.startStopped(),
  },
  ...LINK_SCENARIOS,
  ...NODE_FAULT_SCENARIOS,
];

/** Two faults at the same time, and whether service must go on as after one (P3). */
export const PAIRS: readonly {
  readonly first: string;
  readonly second: string;
  readonly keepsService: boolean;
}[] = [
  { first: 'leader-kill', second: 'gateway-kill', keepsService: true },
  { first: 'leader-kill', second: 'storage-kill', keepsService: true },
  { first: 'storage-freeze', second: 'gateway-kill', keepsService: true },
  { first: 'node-wipe', second: 'leader-kill', keepsService: true },
  // A zone and a part of another node are more than 4+2 can read without: nothing may be lost.
  { first: 'zone-kill', second: 'bit-rot', keepsService: false },
  { first: 'zone-freeze', second: 'storage-kill', keepsService: false },
  { first: 'power-loss', second: 'bit-rot', keepsService: false },
  { first: 'slow-link', second: 'leader-kill', keepsService: true },
  { first: 'slow-disk', second: 'storage-kill', keepsService: true },
  { first: 'slow-disk', second: 'leader-kill', keepsService: true },
  { first: 'gateway-partition', second: 'storage-freeze', keepsService: true },
  { first: 'disk-full', second: 'gateway-kill', keepsService: true },
  { first: 'clock-step', second: 'gateway-kill', keepsService: true },
  // The time of the cluster's state is ahead for long: disks must be replaced all the same.
  { first: 'clock-step', second: 'node-wipe', keepsService: true },
  { first: 'zone-partition', second: 'bit-rot', keepsService: false },
  { first: 'zone-partition-bridge', second: 'leader-kill', keepsService: false },
  { first: 'random-loss', second: 'storage-kill', keepsService: false },
  { first: 'disk-error', second: 'zone-kill', keepsService: false },
  { first: 'clock-step', second: 'power-loss', keepsService: false },
];

/** Nobody waits longer than this for enough operations. */
const ROUNDS_MAX = 1_000;

/** What a game day has done so far. */
export interface Progress {
  /** Operations checked. */
  readonly checked: () => number;
  /** Run before, under this name. */
  readonly hasRun: (name: string) => boolean;
}

/**
 * The scenarios once; and, for a target, again and again under names of their own until as many
 * operations have been checked, or a whole round has added none. Leaves out what has been run.
 */
export function* rounds(
  scenarios: readonly Scenario[],
  target: number | null,
  { checked, hasRun }: Progress,
): Generator<Scenario> {
  for (let round = 1; round <= (target === null ? 1 : ROUNDS_MAX); round += 1) {
    const before = checked();
    let count = 0;
    for (const scenario of scenarios) {
      if (round > 1 && target !== null && checked() >= target) return;
      const name = round === 1 ? scenario.name : `${scenario.name} (${round})`;
      if (hasRun(name)) continue;
      yield { ...scenario, name };
      count += 1;
    }
    if (count > 0 && checked() === before) return;
  }
}

/** One right after the other; both healed at once. */
export function pairOf(first: Scenario, second: Scenario, keepsService: boolean): Scenario {
  return {
    name: `${first.name}+${second.name}`,
    story: `${first.story} At the same time: ${second.story}`,
    outageMsMax: keepsService ? first.outageMsMax : null,
    needs: [...new Set([...first.needs, ...second.needs])],
    async inject(cluster) {
      // In this order: the second may take away the leader that the first one looks for.
      await first.inject(cluster);
      await second.inject(cluster);
    },
    async heal(cluster) {
      await first.heal(cluster);
      await second.heal(cluster);
    },
  };
}
