import { HEALTHY_LINK } from '../dev/link-rule';
import type { LinkRule, PlacedRule } from '../dev/link-rule';
import type { ClusterUnderTest } from './cluster-under-test';
import { ZONE_LOSS } from './scenario';
import type { Scenario } from './scenario';

const CUT: LinkRule = { ...HEALTHY_LINK, isCut: true };
const HOUR_MS = 3_600_000;

function bothWays(a: string, b: string, rule: LinkRule): PlacedRule[] {
  return [
    { from: a, to: b, rule },
    { from: b, to: a, rule },
  ];
}

/** The zone that leads the root group and the others. */
async function leaderAndOthers(
  cluster: ClusterUnderTest,
): Promise<{ readonly leading: string; readonly others: readonly string[] }> {
  const leading = await cluster.leadingZone();
  return { leading, others: cluster.zones().filter((zone) => zone !== leading) };
}

/** Every pair of zones once. */
function pairsOf(zones: readonly string[]): (readonly [string, string])[] {
  return zones.flatMap((a, index) => zones.slice(index + 1).map((b) => [a, b] as const));
}

const heal = (cluster: ClusterUnderTest): Promise<void> => cluster.healLinks();
const common = { needs: ['links'], heal, outageMsMax: ZONE_LOSS } as const;

/** What happens to links: nothing dies, and nobody is told. */
export const LINK_SCENARIOS: readonly Scenario[] = [
  {
    ...common,
    name: 'zone-partition',
    story: 'No byte passes between the leading zone and the others; clients still reach it.',
    async inject(cluster) {
      const { leading, others } = await leaderAndOthers(cluster);
      await cluster.links(...others.flatMap((other) => bothWays(leading, other, CUT)));
    },
  },
  {
    ...common,
    name: 'zone-partition-one-way',
    story: 'No byte passes from the leading zone to the others; what they send arrives.',
    async inject(cluster) {
      const { leading, others } = await leaderAndOthers(cluster);
      await cluster.links(...others.map((other) => ({ from: leading, to: other, rule: CUT })));
    },
  },
  {
    ...common,
    name: 'zone-partition-bridge',
    story: 'No byte passes between the leading zone and another one; both see the third.',
    async inject(cluster) {
      const { leading, others } = await leaderAndOthers(cluster);
      await cluster.links(...bothWays(leading, others[0] ?? leading, CUT));
    },
  },
  {
    ...common,
    name: 'random-loss',
    story: 'On every link between zones 30 % of the segments are lost and sent again.',
    outageMsMax: null,
    async inject(cluster) {
      const rule = { ...HEALTHY_LINK, lossRate: 0.3 };
      await cluster.links(...pairsOf(cluster.zones()).flatMap(([a, b]) => bothWays(a, b, rule)));
    },
  },
  {
    ...common,
    name: 'slow-link',
    needs: ['links', 'delays'],
    story: 'Every link between zones takes 50 ms longer, each way.',
    async inject(cluster) {
      const rule = { ...HEALTHY_LINK, delayMs: 50 };
      await cluster.links(...pairsOf(cluster.zones()).flatMap(([a, b]) => bothWays(a, b, rule)));
    },
  },
  {
    ...common,
    name: 'gateway-partition',
    story: 'One gateway reaches no metadata node, not even that of its zone.',
    async inject(cluster) {
      const gateway = cluster.anyNode('gateway');
      await cluster.links(
        ...cluster.nodes('metadata').flatMap((node) => bothWays(gateway, node, CUT)),
      );
    },
  },
];

const nodeFault = {
  needs: ['faults'],
  heal: (cluster: ClusterUnderTest): Promise<void> => cluster.healFaults(),
  outageMsMax: ZONE_LOSS,
} as const;

/** What happens inside a node. */
export const NODE_FAULT_SCENARIOS: readonly Scenario[] = [
  {
    ...nodeFault,
    name: 'slow-disk',
    story: 'Every access to the disks of one storage node takes 200 ms longer.',
    inject: (cluster) => cluster.faults({ diskDelayMs: 200 }, cluster.anyNode('storage')),
  },
  {
    ...nodeFault,
    name: 'slow-log',
    story: 'Every write and sync of the log of the leading metadata node takes 100 ms longer.',
    inject: async (cluster) => cluster.faults({ diskDelayMs: 100 }, await cluster.leadingNode()),
  },
  {
    ...nodeFault,
    name: 'disk-full',
    story: 'The disks of one storage node have no space left.',
    inject: (cluster) => cluster.faults({ isDiskFull: true }, cluster.anyNode('storage')),
  },
  {
    ...nodeFault,
    name: 'disk-error',
    story: 'Every read and write of one storage node fails; then it gets empty disks.',
    inject: (cluster) => cluster.faults({ diskErrors: 'all' }, cluster.anyNode('storage')),
    async heal(cluster) {
      const failed = cluster.nodesWithFailingDisks();
      await cluster.healFaults();
      await cluster.node('kill', ...failed);
      for (const node of failed) cluster.wipeDisks(node);
      await cluster.startStopped();
    },
  },
  {
    ...nodeFault,
    name: 'clock-step',
    story:
      'The clocks of the leading metadata node and of a storage node jump an hour ahead, that ' +
      'of a curator an hour back.',
    async inject(cluster) {
      const ahead = [await cluster.leadingNode(), cluster.anyNode('storage')];
      await cluster.faults({ wallOffsetMs: HOUR_MS }, ...ahead);
      await cluster.faults({ wallOffsetMs: -HOUR_MS }, cluster.anyNode('curator'));
    },
  },
];
