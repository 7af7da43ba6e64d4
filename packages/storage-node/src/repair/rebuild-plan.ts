import type { ShardSumTerm, SumNode } from '@azimuth/clients';

/** A shard that a rebuild reads, with its place and what it is multiplied by. */
export interface RebuildTerm extends ShardSumTerm {
  readonly zone: string;
}

/**
 * What comes to the target as one stream: a shard as it is, or the sum that `helper` makes of
 * several shards of its zone.
 */
export type RebuildStream =
  | { readonly kind: 'shard'; readonly term: RebuildTerm }
  | {
      readonly kind: 'sum';
      readonly zone: string;
      readonly helper: SumNode;
      readonly terms: readonly RebuildTerm[];
    };

/**
 * One stream from each foreign zone, however many shards of it are needed: what crosses between
 * zones costs, what stays inside one does not. Terms of coefficient 0 are left out. `turn` picks
 * the helper, so that many rebuilds share the work. Pure.
 */
export function planStreams(
  ownZone: string,
  terms: readonly RebuildTerm[],
  turn: number,
): readonly RebuildStream[] {
  const byZone = new Map<string, RebuildTerm[]>();
  for (const term of terms) {
    if (term.coefficient === 0) continue;
    byZone.set(term.zone, [...(byZone.get(term.zone) ?? []), term]);
  }
  return [...byZone].flatMap(([zone, ofZone]): RebuildStream[] => {
    const helper = ofZone[turn % ofZone.length]?.node ?? null;
    if (zone === ownZone || ofZone.length === 1 || helper === null) return directly(ofZone);
    return [{ kind: 'sum', zone, helper, terms: ofZone }];
  });
}

/** The same shards without a helper. */
export function directly(terms: readonly RebuildTerm[]): RebuildStream[] {
  return terms.map((term) => ({ kind: 'shard', term }));
}

/** The terms as `helper` sees them: what lies on itself needs no address. Pure. */
export function termsFor(helper: SumNode, terms: readonly RebuildTerm[]): readonly ShardSumTerm[] {
  return terms.map(({ coefficient, shardIndex, diskId, node }) => ({
    coefficient,
    shardIndex,
    diskId,
    node: node?.nodeId === helper.nodeId ? null : node,
  }));
}
