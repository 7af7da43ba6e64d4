import type { ClusterMap, DiskState, Intent } from '@azimuth/placement';
import type { ErrorDetail } from '@azimuth/common';

import type { BucketRecord } from './bucket-records';
import type { Command } from './commands';
import type { IdentityEntry, IdentityKind } from './identity-records';
import type { GroupMembership, MetadataIntent, MetadataNodeEntry } from './metadata-records';

/**
 * What travels in the frames of `azimuth.metadata.v1.Metadata/Session`, encoded by `codec.ts`.
 * Requests may be sent to any metadata node; one that is not the leader of the group answers
 * NOT_LEADER with `detail.leader` (a node id, when known).
 */
export type SessionRequest =
  | {
      readonly kind: 'propose';
      readonly group: string;
      readonly command: Command;
      /** The answer says at which index of the group's log it holds: for checks of histories. */
      readonly wantsIndex?: boolean;
    }
  /** Linearizable by ReadIndex. */
  | {
      readonly kind: 'query';
      readonly group: string;
      readonly name: string;
      readonly args: unknown;
      readonly wantsIndex?: boolean;
    }
  /** Long poll on the root leader: answers when something newer than `since` is applied, or after `waitMs`. */
  | {
      readonly kind: 'watch';
      readonly since: number;
      readonly waitMs: number;
      /** Only for gateways: identities carry secrets. */
      readonly withIdentities: boolean;
    }
  | { readonly kind: 'heartbeat'; readonly heartbeat: NodeHeartbeat }
  /** Answered by every node from its own replica as it is: see {@link BlobWitness}. */
  | { readonly kind: 'witness'; readonly group: string; readonly blobIds: readonly string[] }
  | { readonly kind: 'status' }
  /** Answered by every node with a {@link GroupLeader} for each group, as it sees it. */
  | { readonly kind: 'leaders' }
  /** From the root leader to the leader of `group`. */
  | { readonly kind: 'lead'; readonly group: string; readonly target: string }
  | {
      readonly kind: 'members';
      readonly group: string;
      readonly expectedIndex: number;
      readonly voters: readonly string[];
      readonly learners: readonly string[];
    }
  /** From an operator to the root leader. */
  | { readonly kind: 'intent'; readonly intent: MetadataIntent; readonly isDryRun: boolean };

export type SessionResponse =
  | { readonly ok: true; readonly result: unknown; readonly logIndex?: LogIndexOfAnswer }
  | {
      readonly ok: false;
      readonly code: string;
      readonly detail: ErrorDetail;
      readonly logIndex?: LogIndexOfAnswer;
    };

/**
 * Of a command: the entry that it was. Of a query: the last entry of the state that answered it;
 * null when entries were applied while it was being answered.
 */
type LogIndexOfAnswer = number | null;

/**
 * What one replica knows of blobs. A replica whose time is past the age up to which a blob may be
 * committed knows for good that nothing references it; one replica alone may have lost the record
 * to bit rot, which an untrusted store does not notice.
 */
export interface BlobWitness {
  readonly nodeId: string;
  /** Time of the last entry that the replica applied. */
  readonly appliedMs: number;
  /** One answer a blob id, in order. */
  readonly isReferenced: readonly boolean[];
}

/** The answers of the metadata nodes that could be reached, and how many there are in all. */
export interface BlobWitnesses {
  readonly nodeCount: number;
  readonly witnesses: readonly BlobWitness[];
}

export interface DiskStatistics {
  readonly diskId: string;
  readonly state: DiskState;
  readonly capacityBytes: number;
  readonly usedBytes: number;
  readonly shardCount: number;
  /** Shards that the last scrub tour found corrupt and that are not repaired yet. */
  readonly corruptShards: number;
}

/** Sent by each storage node to the root leader every second; missing it for 3 s means `down`. */
export interface NodeHeartbeat {
  readonly nodeId: string;
  readonly incarnation: string;
  readonly disks: readonly DiskStatistics[];
}

/** The answer to a heartbeat: a node the map does not know in this incarnation registers again. */
export interface HeartbeatResult {
  readonly isRegistered: boolean;
  /** Absent in the answers of older nodes, and of a leader that does not know yet. */
  readonly metadataNodes?: readonly MetadataNodeEntry[];
}

/**
 * Root state as gateways and curators hold it. `full` replaces everything, `delta` changes what it
 * names. `version` is the root log index that it reflects, confirmed by the leader's quorum.
 */
export type WatchResult =
  | { readonly kind: 'full'; readonly version: number; readonly map: ClusterMapDocument }
  | { readonly kind: 'delta'; readonly version: number; readonly map: ClusterMapDelta }
  | { readonly kind: 'unchanged'; readonly version: number };

/** A cluster map with arrays for maps, as it is encoded. */
export interface ClusterMapDocument {
  readonly settings: ClusterMap['settings'];
  readonly nodes: readonly (ClusterMap['nodes'] extends ReadonlyMap<string, infer N> ? N : never)[];
  readonly disks: readonly (ClusterMap['disks'] extends ReadonlyMap<string, infer D> ? D : never)[];
  readonly groups: readonly (ClusterMap['groups'] extends ReadonlyMap<number, infer G>
    ? G
    : never)[];
  /** All of them, in documents and in deltas; absent in the answers of older nodes. */
  readonly metadataNodes?: readonly MetadataNodeEntry[];
  /** Absent in the answers of nodes that know of none. */
  readonly intents?: readonly Intent[];
  readonly buckets: readonly BucketRecord[];
  /** Empty unless asked for. */
  readonly identities: readonly IdentityEntry[];
  /** Root log index of the last change of identities; 0 before the first. */
  readonly identityRevision: number;
}

export interface ClusterMapDelta {
  readonly nodes: ClusterMapDocument['nodes'];
  readonly disks: ClusterMapDocument['disks'];
  readonly groups: ClusterMapDocument['groups'];
  readonly removedGroups: readonly number[];
  readonly metadataNodes?: readonly MetadataNodeEntry[];
  readonly intents?: readonly Intent[];
  /** Keys. */
  readonly removedIntents?: readonly string[];
  readonly removedNodes?: readonly string[];
  readonly removedDisks?: readonly string[];
  readonly buckets: readonly BucketRecord[];
  readonly removedBuckets: readonly string[];
  readonly identities: readonly IdentityEntry[];
  readonly removedIdentities: readonly { readonly kind: IdentityKind; readonly name: string }[];
  readonly identityRevision: number;
}

/** A hash of a replica at an index of its log; equal on every replica that agrees. */
export interface StateMark {
  readonly index: number;
  readonly hash: string;
}

/** By what replicas of a group tell whether they agree. */
export interface ReplicaIntegrity {
  /** It abstains until it has again what it lost. */
  readonly isDamaged: boolean;
  /** Of the code that applies entries: replicas of one version alone are alike. Absent: 1. */
  readonly applyVersion?: number;
  /** Chained over the changes applied; the last one is at the applied index. */
  readonly digests: readonly StateMark[];
  /** Sums over the records as they were read back. */
  readonly censuses: readonly StateMark[];
}

/** Damage that a metadata node found in what it stores, and repairs. */
export interface MetadataFinding {
  /** Null for what all groups share. */
  readonly group: string | null;
  readonly problem: 'log' | 'votes' | 'snapshot' | 'state' | 'replica';
  /** `local`: from what else the node has; `peers`: from the leader. */
  readonly remedy: 'local' | 'peers';
  readonly foundMs: number;
}

/** Who leads a group, as one node sees it: perhaps not the newest. */
export interface GroupLeader {
  readonly group: string;
  readonly term: number;
  readonly leader: string | null;
}

/** One metadata node's view of itself, for `azimuth status`. */
export interface MetadataStatus {
  readonly nodeId: string;
  readonly zone: string;
  readonly groups: readonly {
    readonly group: string;
    readonly role: string;
    readonly term: number;
    readonly leader: string | null;
    readonly commitIndex: number;
    readonly lastApplied: number;
    /** Absent from nodes of before it was there. */
    readonly integrity?: ReplicaIntegrity;
    /** Absent as above. */
    readonly membership?: GroupMembership;
  }[];
  /** Damage of its own that the node found since its process started, newest last. */
  readonly findings?: readonly MetadataFinding[];
  /** As this replica of `root` has them: perhaps not the newest. Absent as above. */
  readonly metadataNodes?: readonly MetadataNodeEntry[];
  /** Only on the root leader: last heartbeat of each node and its statistics. */
  readonly storage: readonly (NodeHeartbeat & { readonly ageMs: number })[];
}
