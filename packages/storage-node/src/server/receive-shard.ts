import type { ShardUpload } from '../store/shard-store';
import type { ShardExchange } from './request-connection';

/**
 * Receives the body of a request into an upload, and finishes it.
 *
 * @throws StoreError CANCELLED when the body was cut off; see `ShardUpload`.
 */
export async function receiveShard(exchange: ShardExchange, upload: ShardUpload): Promise<void> {
  try {
    await exchange.receive(upload);
    await upload.finish();
  } catch (error) {
    await upload.abort();
    throw error;
  }
}
