import type { PlacementGroup } from '@azimuth/placement';

import { indexGroups } from './curator-context';
import type { CuratorContext } from './curator-context';

/** So long after this curator gateways have a map as new as its own, but for those cut off. */
const WATCH_SPREAD_MS = 1_000;

/**
 * From here on no blob is committed whose writer did not know how the group is now. Of the others
 * the walk that follows knows: those committed before are referenced, and their shards are
 * durable; of those committed later a moving slot is named as missing, and an emptied group has
 * none.
 */
export async function fenceLateWriters(
  context: CuratorContext,
  { pgId }: PlacementGroup,
): Promise<void> {
  const { metadata, clock, signal } = context;
  const { version: mapVersion } = context.view.map();
  await clock.sleep(WATCH_SPREAD_MS, signal);
  for (const index of indexGroups(context)) {
    await metadata.index(index, 'FenceGroup', { pgId, mapVersion }, { signal });
  }
}
