import type { CallOptions, MetadataClient } from '@azimuth/clients';

/** At which index of which group's log the answer to a request of an operation holds. */
export interface LogPosition {
  /** Of the command or the query. */
  readonly name: string;
  readonly group: string;
  /** Null when nobody can say. */
  readonly logIndex: number | null;
}

/**
 * A metadata client for one S3 request that tells where in the logs of the index groups its answers
 * hold. A history with these positions can be checked by replaying it in their order.
 */
export function witnessedMetadata(
  metadata: MetadataClient,
  onPosition: (position: LogPosition) => void,
): MetadataClient {
  const witnessing = (
    name: string,
    group: string,
    options: CallOptions | undefined,
  ): CallOptions => ({
    ...options,
    onLogIndex: (logIndex) => onPosition({ name, group, logIndex }),
  });
  return {
    index: (group, name, args, options) =>
      metadata.index(group, name, args, witnessing(name, group, options)),
    queryIndex: (group, name, args, options) =>
      metadata.queryIndex(group, name, args, witnessing(name, group, options)),
    root: (name, args, options) => metadata.root(name, args, options),
    queryRoot: (name, args, options) => metadata.queryRoot(name, args, options),
    heartbeat: (heartbeat, options) => metadata.heartbeat(heartbeat, options),
    witnessBlobs: (group, blobIds, options) => metadata.witnessBlobs(group, blobIds, options),
    status: (options) => metadata.status(options),
    close: () => metadata.close(),
  };
}

/** `GetVersion@index-0=1234, CommitVersion@index-0=?`: the value of `x-azimuth-log-positions`. */
export function formatPositions(positions: readonly LogPosition[]): string {
  return positions
    .map(({ name, group, logIndex }) => `${name}@${group}=${logIndex ?? '?'}`)
    .join(', ');
}
