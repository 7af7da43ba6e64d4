/** What a census found: every shard of the groups in question read back from its disk. */
export interface CensusRecord {
  /** By the leader's clock, ms. */
  readonly startedMs: number;
  readonly finishedMs: number | null;
  readonly groupsTotal: number;
  readonly groupsDone: number;
  readonly blobs: number;
  readonly shards: number;
  /** Absent, corrupt, or on a disk that did not answer. */
  readonly shardsMissing: number;
}

/** How far repair is, as the curator that holds the lease says it. */
export interface RepairReport {
  readonly holder: string;
  readonly shardsToDo: number;
  readonly bytesToDo: number;
  readonly bytesPerSecond: number;
  /** Blobs with missing shards by the losses that they still survive, from 0; at most 32. */
  readonly blobsAtRisk: readonly number[];
  /** Placement groups that were not read back since something of them was missing. */
  readonly groupsUnproven: number;
  /** The one that runs, or the last one. */
  readonly census: CensusRecord | null;
}

/** Of the root group; there is one. */
export interface RepairRecord {
  readonly reportedMs: number;
  readonly report: RepairReport | null;
  /** When an operator last asked for a census of everything; 0: never. */
  readonly censusRequestedMs: number;
}
