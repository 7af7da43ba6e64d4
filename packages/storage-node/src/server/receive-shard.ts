import type { ShardUpload } from '../store/shard-store';
import type { BodySink, ShardExchange } from './request-connection';

/**
 * Receives the body of a request into an upload, through `sink` if there is one, and finishes it.
 *
 * @throws StoreError CANCELLED when the body was cut off; see `ShardUpload`.
 */
export async function receiveShard(
  exchange: ShardExchange,
  upload: ShardUpload,
  sink: BodySink = upload,
): Promise<void> {
  try {
    await exchange.receive(sink);
    await upload.finish();
  } catch (error) {
    await upload.abort();
    throw error;
  }
}
