/** A metadata node as `root` knows it. */
export interface MetadataNodeEntry {
  readonly nodeId: string;
  readonly zone: string;
  readonly host: string;
  readonly port: number;
  /** Names the log of the node, as it said at its first start; null before that. */
  readonly incarnation: string | null;
  /**
   * `joining` gets the log of every group and becomes a voter when it has them; `leaving` stops
   * voting in the same step.
   */
  readonly state: 'voter' | 'joining' | 'leaving';
  /** False: leaders are kept away from it, before maintenance. */
  readonly mayLead: boolean;
}

/** Where a metadata node that shall join listens. */
export type MetadataNodeAddress = Pick<MetadataNodeEntry, 'nodeId' | 'zone' | 'host' | 'port'>;

/** What an operator wants of the metadata nodes. */
export type MetadataIntent =
  | {
      readonly kind: 'change';
      readonly add: readonly MetadataNodeAddress[];
      readonly remove: readonly string[];
    }
  /** Of one node, or of all nodes of a zone. */
  | {
      readonly kind: 'lead';
      readonly nodeId: string | null;
      readonly zone: string | null;
      readonly mayLead: boolean;
    };

/** The answer to an intent: what it does, in words. */
export interface MetadataIntentResult {
  readonly lines: readonly string[];
}

/** Who belongs to a group, as one of its nodes sees it. */
export interface GroupMembership {
  readonly configurationIndex: number;
  readonly voters: readonly string[];
  readonly learners: readonly string[];
  /** Committed, and not in the joint phase of a change. */
  readonly isSettled: boolean;
  /** Who answers the leader, and how much of the log they have; empty elsewhere. */
  readonly members: readonly {
    readonly nodeId: string;
    readonly matchIndex: number;
    readonly isAlive: boolean;
  }[];
}
