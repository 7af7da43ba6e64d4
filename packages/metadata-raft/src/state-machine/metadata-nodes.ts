import { isDeepStrictEqual } from 'node:util';

import { StoreError } from '@azimuth/common';
import type { MetadataNodeEntry, RootCommands } from '@azimuth/proto';

import type { CommandContext } from './command-context';
import type { RootState } from './root-state';

/** ChangeMetadataNodes: all or nothing, over what the author saw. */
export function changeMetadataNodes(
  state: RootState,
  { expected, put, remove }: RootCommands['ChangeMetadataNodes']['args'],
  { index }: CommandContext,
): null {
  const nodes = state.metadataNodes();
  if (!isDeepStrictEqual(nodes, expected.map(entryOf))) {
    throw new StoreError('PRECONDITION_FAILED', { reason: 'the metadata nodes have changed' });
  }
  for (const nodeId of remove) state.delete('metadata', nodeId, index);
  for (const node of put) state.put('metadata', node.nodeId, entryOf(node), index);
  return null;
}

/**
 * RegisterMetadataNode: a node says where it is and over which log. Who comes with another log has
 * lost the one that it voted and acknowledged with: it is not the node of that name (pitfall 17).
 */
export function registerMetadataNode(
  state: RootState,
  args: RootCommands['RegisterMetadataNode']['args'],
  { index }: CommandContext,
): null {
  const { nodeId, zone, host, port, incarnation, isRejoining } = args;
  const known = state.get('metadata', nodeId);
  if (known === null) throw new StoreError('NOT_FOUND', { nodeId });
  if (known.zone !== zone) {
    throw new StoreError('INVALID_ARGUMENT', { reason: 'the node was in another zone', nodeId });
  }
  const isOther = known.incarnation !== null && known.incarnation !== incarnation;
  if (isOther && !isRejoining) {
    throw new StoreError('ALREADY_EXISTS', { reason: 'the node had another log', nodeId });
  }
  const entry = entryOf({ ...known, host, port, incarnation });
  if (!isDeepStrictEqual(known, entry)) state.put('metadata', nodeId, entry, index);
  return null;
}

/** Replicas agree on bytes, so the fields have one order. */
function entryOf(node: MetadataNodeEntry): MetadataNodeEntry {
  const { nodeId, zone, host, port, incarnation, state, mayLead } = node;
  return { nodeId, zone, host, port, incarnation, state, mayLead };
}
