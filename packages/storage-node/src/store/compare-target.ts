import { PAGE_BYTES } from '@azimuth/clients';
import { StoreError } from '@azimuth/common';

import type { ShardId } from '../segment/shard-id';
import type { UploadTarget } from './wire-shard';

/** For a shard that is stored and intact: its bytes come once more, and only their table counts. */
export function compareTarget(id: ShardId, readTable: () => Promise<Buffer>): UploadTarget {
  const room = Buffer.allocUnsafe(PAGE_BYTES);
  return {
    room: () => room,
    fill: () => undefined,
    commit: async (table) => {
      if (!(await readTable()).equals(table)) throw new StoreError('SHARD_EXISTS', { ...id });
    },
    discard: () => Promise.resolve(),
  };
}
