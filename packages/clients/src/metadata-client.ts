import type {
  BlobWitnesses,
  HeartbeatResult,
  IndexCommandName,
  IndexCommands,
  IndexQueries,
  IndexQueryName,
  MetadataStatus,
  NodeHeartbeat,
  RootCommandName,
  RootCommands,
  RootQueries,
  RootQueryName,
} from '@azimuth/proto';

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  /** Gives up after this; default 10 s. Retries and leader changes happen inside. */
  readonly timeoutMs?: number | undefined;
  /**
   * Told, before the answer or the refusal, at which index of the group's log it holds: of a
   * command its entry, of a query the last entry that it has seen. Null when nobody can say.
   */
  readonly onLogIndex?: ((logIndex: number | null) => void) | undefined;
}

/**
 * Commands and queries of the metadata groups. The implementation finds and follows the leader of
 * each group, batches everything of one event-loop turn into one frame message, and retries a
 * command under its own id until it knows the outcome or the deadline passes.
 *
 * Errors: what the command documents, and UNAVAILABLE, TIMEOUT, OVERLOADED, OUTCOME_UNKNOWN (the
 * command may have been committed).
 */
export interface MetadataClient {
  root<Name extends RootCommandName>(
    name: Name,
    args: RootCommands[Name]['args'],
    options?: CallOptions,
  ): Promise<RootCommands[Name]['result']>;

  queryRoot<Name extends RootQueryName>(
    name: Name,
    args: RootQueries[Name]['args'],
    options?: CallOptions,
  ): Promise<RootQueries[Name]['result']>;

  /** `group` is `index-0` … */
  index<Name extends IndexCommandName>(
    group: string,
    name: Name,
    args: IndexCommands[Name]['args'],
    options?: CallOptions,
  ): Promise<IndexCommands[Name]['result']>;

  queryIndex<Name extends IndexQueryName>(
    group: string,
    name: Name,
    args: IndexQueries[Name]['args'],
    options?: CallOptions,
  ): Promise<IndexQueries[Name]['result']>;

  heartbeat(heartbeat: NodeHeartbeat, options?: CallOptions): Promise<HeartbeatResult>;

  /**
   * What each metadata node that could be reached knows by itself of who references the blobs of an
   * index group. Not linearizable: for the proof that something is unreferenced for good.
   */
  witnessBlobs(
    group: string,
    blobIds: readonly string[],
    options?: CallOptions,
  ): Promise<BlobWitnesses>;

  /** One answer for each metadata node that could be reached. */
  status(options?: CallOptions): Promise<readonly MetadataStatus[]>;

  close(): Promise<void>;
}
