import { isDeepStrictEqual } from 'node:util';

import { StoreError } from '@azimuth/common';
import type { RootCommands } from '@azimuth/proto';

import type { CommandContext } from './command-context';
import type { RootState } from './root-state';

/** RegisterNode: a storage node started, with the disks it has now. */
export function registerNode(
  state: RootState,
  { node, disks }: RootCommands['RegisterNode']['args'],
  { index }: CommandContext,
): null {
  const { nodeId, zone } = node;
  if (!state.map().settings.zones.includes(zone)) {
    throw new StoreError('INVALID_ARGUMENT', { reason: 'unknown zone', zone });
  }
  const known = state.get('node', nodeId);
  if (known !== null && known.zone !== zone) {
    throw new StoreError('INVALID_ARGUMENT', { reason: 'the node was in another zone', nodeId });
  }
  for (const { diskId } of disks) {
    const owner = state.get('disk', diskId)?.nodeId ?? nodeId;
    if (owner !== nodeId) {
      throw new StoreError('INVALID_ARGUMENT', { reason: 'disk of another node', diskId });
    }
  }

  const isChanged = !isDeepStrictEqual(known, { ...node, state: 'up' });
  if (isChanged) state.put('node', nodeId, { ...node, state: 'up' }, index);
  const present = new Set(disks.map(({ diskId }) => diskId));
  for (const disk of [...state.all('disk')]) {
    if (disk.nodeId !== nodeId || present.has(disk.diskId) || disk.state === 'lost') continue;
    state.put('disk', disk.diskId, { ...disk, state: 'lost' }, index);
  }
  for (const disk of disks) {
    const entry = { ...disk, nodeId, zone };
    if (isDeepStrictEqual(state.get('disk', disk.diskId), entry)) continue;
    state.put('disk', disk.diskId, entry, index);
  }
  return null;
}
