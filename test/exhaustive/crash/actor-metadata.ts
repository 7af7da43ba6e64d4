import type { MetadataClient } from '@azimuth/clients';

import type { Actor } from './actor';

/**
 * The metadata service as one process reaches it. A command whose reply is lost may have been
 * committed or not, and the process is told just that; a query has no effect to be unsure of.
 */
export function actorMetadata(actor: Actor, metadata: MetadataClient): MetadataClient {
  return {
    root: (name, args, options) =>
      actor.perform(name, 'OUTCOME_UNKNOWN', () => metadata.root(name, args, options)),
    queryRoot: (name, args, options) =>
      actor.perform(name, 'TIMEOUT', () => metadata.queryRoot(name, args, options)),
    index: (group, name, args, options) =>
      actor.perform(name, 'OUTCOME_UNKNOWN', () => metadata.index(group, name, args, options)),
    queryIndex: (group, name, args, options) =>
      actor.perform(name, 'TIMEOUT', () => metadata.queryIndex(group, name, args, options)),
    heartbeat: (heartbeat, options) => metadata.heartbeat(heartbeat, options),
    witnessBlobs: (group, blobIds, options) =>
      actor.perform('witness', 'TIMEOUT', () => metadata.witnessBlobs(group, blobIds, options)),
    status: (options) => metadata.status(options),
    close: () => Promise.resolve(),
  };
}
