import type { ShardWriter } from '@azimuth/clients';
import { hasCode } from '@azimuth/common';
import type { DiskId } from '@azimuth/placement';

import { addressOf, attributesOf, readRange } from './blob-shards';
import type { BlobShape } from './blob-shards';
import type { CuratorContext } from './curator-context';
import { WINDOW_BYTES } from './rebuild-shards';
import type { RebuildTarget } from './rebuild-shards';

/**
 * Copies a shard from a disk that still serves it: every page is verified as it is read, and by
 * the target before it is durable. True when it is there now; false when either disk could not do
 * it, and then the shard is to be rebuilt from others. Proving it is up to the caller.
 */
export async function copyShard(
  context: CuratorContext,
  blob: BlobShape,
  { from, target }: { readonly from: DiskId; readonly target: RebuildTarget },
): Promise<boolean> {
  const map = context.view.map();
  const source = addressOf(map, from, blob.blobId, target.shardIndex);
  const address = addressOf(map, target.diskId, blob.blobId, target.shardIndex);
  if (source === null || address === null) return false;
  const attributes = attributesOf(blob);
  const writer = context.storage.openShard(address, attributes, context.signal);
  try {
    for (let at = 0; at < attributes.shardSizeBytes; at += WINDOW_BYTES) {
      const to = Math.min(at + WINDOW_BYTES, attributes.shardSizeBytes);
      await context.throttle.run(async () => {
        const range = { from: at, to };
        await writer.write(await readRange(context, source, attributes.shardSizeBytes, range));
      }, context.signal);
    }
    await finish(writer);
  } catch (error) {
    writer.abort();
    context.signal.throwIfAborted();
    context.logger.info({ blobId: blob.blobId, from, error }, 'a shard could not be copied');
    return false;
  }
  context.metrics.shardsCopied.inc();
  context.metrics.bytesCopied.inc(attributes.shardSizeBytes);
  return true;
}

async function finish(writer: ShardWriter): Promise<void> {
  try {
    await writer.finish();
  } catch (error) {
    // An earlier attempt wrote it; whether it is intact is asked next.
    if (!hasCode(error, 'SHARD_EXISTS')) throw error;
  }
}
