import type { UnsettledStarts } from '@azimuth/common';

import type { SegmentStoreOptions } from './segment-store';
import { SegmentStore } from './segment-store';

/**
 * Opens the store of a disk. An index at which the starts before ended without a word is discarded
 * first, and made again from the segments; `onDiscard` hears of it. The caller settles `starts`
 * when it closes the store.
 *
 * @throws StoreError see {@link SegmentStore.open}.
 */
export async function openStoreOf(
  options: SegmentStoreOptions,
  starts: UnsettledStarts,
  onDiscard: () => void,
): Promise<SegmentStore> {
  try {
    if (starts.begin()) {
      const { logger, identity, indexBackend } = options;
      const { diskId } = identity;
      logger.error({ diskId }, 'starts ended before they settled; shard index is discarded');
      await indexBackend.destroy();
      onDiscard();
    }
    const store = await SegmentStore.open(options);
    starts.settleLater();
    return store;
  } catch (error) {
    starts.settle();
    throw error;
  }
}
