import type { NodeId } from '../core/message';
import type { ReplicaIntegrity, StateMark } from '@azimuth/proto';

/** What comparing this replica of a group with the others says. */
export type ReplicaVerdict =
  /** Nobody contradicts, or nobody could be compared with. */
  | { readonly kind: 'agrees' }
  /** A majority of all voters has another state than this replica. */
  | { readonly kind: 'outvoted'; readonly index: number }
  /** A majority, this replica among them, agrees, and these do not: they will find out themselves. */
  | { readonly kind: 'others'; readonly index: number; readonly nodeIds: readonly NodeId[] }
  /** Replicas differ and no state has a majority yet: somebody does not answer, or two differ. */
  | { readonly kind: 'undecided'; readonly index: number };

const AGREES: ReplicaVerdict = { kind: 'agrees' };

/**
 * Judges the replica of `self`. States are compared only where two replicas name the same index, so
 * one that is behind is never taken for one that is wrong, and only with replicas that apply
 * entries by the same version: in an upgrade of one node after the other, another state is no wrong
 * state. Pure.
 */
export function judgeReplica(
  self: NodeId,
  replicas: ReadonlyMap<NodeId, ReplicaIntegrity>,
  voterCount: number,
): ReplicaVerdict {
  const version = versionOf(replicas.get(self));
  const alike = [...replicas].filter(([, integrity]) => versionOf(integrity) === version);
  const verdicts = (['digests', 'censuses'] as const).map((kind) =>
    judgeMarks(
      self,
      new Map(alike.map(([nodeId, integrity]) => [nodeId, integrity[kind]])),
      voterCount,
    ),
  );
  return (
    verdicts.find(({ kind }) => kind === 'outvoted') ??
    verdicts.find(({ kind }) => kind !== 'agrees') ??
    AGREES
  );
}

/** Nodes of before there was a choice do not say. */
function versionOf(integrity: ReplicaIntegrity | undefined): number {
  return integrity?.applyVersion ?? 1;
}

/** The newest index at which this replica and another differ decides. */
function judgeMarks(
  self: NodeId,
  marks: ReadonlyMap<NodeId, readonly StateMark[]>,
  voterCount: number,
): ReplicaVerdict {
  const own = marks.get(self) ?? [];
  for (const { index, hash } of own.toReversed()) {
    const hashes = new Map(
      [...marks].flatMap(([nodeId, list]) => {
        const found = list.find((mark) => mark.index === index);
        return found === undefined ? [] : [[nodeId, found.hash] as const];
      }),
    );
    const others = [...hashes].filter(([, other]) => other !== hash).map(([nodeId]) => nodeId);
    if (others.length === 0) continue;
    const majority = Math.floor(voterCount / 2) + 1;
    if (hashes.size - others.length >= majority) return { kind: 'others', index, nodeIds: others };
    const isOutvoted = others.some(
      (nodeId) =>
        others.filter((other) => hashes.get(other) === hashes.get(nodeId)).length >= majority,
    );
    return isOutvoted ? { kind: 'outvoted', index } : { kind: 'undecided', index };
  }
  return AGREES;
}
