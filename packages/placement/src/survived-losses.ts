import type { NodeId, ZoneId } from './cluster-map';

/** A shard, a copy or a voter that is there now, and what takes it along when it is lost. */
export interface PlacedReplica {
  readonly zone: ZoneId;
  readonly nodeId: NodeId;
}

/**
 * Entry z: whichever z zones are lost, whichever this many nodes of the other zones may be lost
 * too. Ends at the first z that some z zones are too much for; empty when nothing can be read now.
 * `[2, 0]`: any two nodes, or any one zone and no node besides.
 */
export type SurvivedLosses = readonly number[];

/**
 * What replicas survive of which `needed` must be left: shards of which k decode, voters of which
 * a majority elects. Exact: every set of zones is looked at, and of nodes the worst ones, which
 * are those with the most replicas, as losses add up. Zones alike are looked at once, so that the
 * work is bounded for any layout of 32 shards.
 */
export function survivedLosses(replicas: readonly PlacedReplica[], needed: number): SurvivedLosses {
  if (replicas.length < needed) return [];
  const zones = zoneShapes(replicas);
  const worst: number[] = [];
  const visit = (index: number, lost: number, left: readonly number[]): void => {
    const shape = zones[index];
    if (shape === undefined) {
      const spare = left.reduce((sum, count) => sum + count, 0) - needed;
      worst[lost] = Math.min(worst[lost] ?? Number.POSITIVE_INFINITY, worstNodes(left, spare));
      return;
    }
    for (let kept = 0; kept <= shape.zones; kept += 1) {
      const survivors = Array.from({ length: kept }, () => shape.perNode).flat();
      visit(index + 1, lost + shape.zones - kept, [...left, ...survivors]);
    }
  };
  visit(0, 0, []);
  const end = worst.findIndex((nodes) => nodes < 0);
  return end === -1 ? worst : worst.slice(0, end);
}

/** What all of several survive: the weakest of them at every number of zones. */
export function weakestLosses(all: readonly SurvivedLosses[]): SurvivedLosses {
  const [first = [], ...others] = all;
  return others.reduce(
    (weakest, losses) =>
      weakest.slice(0, losses.length).map((nodes, zones) => Math.min(nodes, losses[zones] ?? 0)),
    first,
  );
}

/**
 * In words, as in "survives any one zone and one more node, or any four nodes". What another part
 * implies is left out: who survives any two zones survives a zone and a node, and two nodes.
 */
export function describeLosses(losses: SurvivedLosses): string {
  const parts = losses
    .map((nodes, zones) => ({ zones, nodes }))
    .filter(({ zones, nodes }) => zones + nodes > 0)
    .filter(
      ({ zones, nodes }) =>
        !losses.some((more, moreZones) => moreZones > zones && moreZones + more >= zones + nodes),
    )
    .map(({ zones, nodes }) => {
      if (zones === 0) return `any ${count(nodes, 'node')}`;
      if (nodes === 0) return `any ${count(zones, 'zone')}`;
      return `any ${count(zones, 'zone')} and ${inWords(nodes)} more node${nodes === 1 ? '' : 's'}`;
    });
  return parts.length === 0 ? 'nothing more' : parts.reverse().join(', or ');
}

interface ZoneShape {
  readonly zones: number;
  /** Replicas on each node of such a zone. */
  readonly perNode: readonly number[];
}

/** Zones with the same numbers of replicas on their nodes are one shape. */
function zoneShapes(replicas: readonly PlacedReplica[]): ZoneShape[] {
  const nodesOfZone = new Map<ZoneId, Map<NodeId, number>>();
  for (const { zone, nodeId } of replicas) {
    const nodes = nodesOfZone.get(zone) ?? new Map<NodeId, number>();
    nodes.set(nodeId, (nodes.get(nodeId) ?? 0) + 1);
    nodesOfZone.set(zone, nodes);
  }
  const shapes = new Map<string, ZoneShape>();
  for (const nodes of nodesOfZone.values()) {
    const perNode = [...nodes.values()].sort((a, b) => b - a);
    const key = perNode.join();
    shapes.set(key, { zones: (shapes.get(key)?.zones ?? 0) + 1, perNode });
  }
  return [...shapes.values()];
}

/** How many of the fullest nodes fit into `spare`; -1 when it is negative already. */
function worstNodes(perNode: readonly number[], spare: number): number {
  let left = spare;
  if (left < 0) return -1;
  let nodes = 0;
  for (const replicas of [...perNode].sort((a, b) => b - a)) {
    left -= replicas;
    if (left < 0) break;
    nodes += 1;
  }
  return nodes;
}

const WORDS = ['no', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine', 'ten'];

function inWords(number: number): string {
  return WORDS[number] ?? String(number);
}

function count(number: number, noun: string): string {
  return `${inWords(number)} ${noun}${number === 1 ? '' : 's'}`;
}
