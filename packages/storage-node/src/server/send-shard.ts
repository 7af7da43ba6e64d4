import type { ShardReader } from '../store/shard-store';
import type { ShardExchange } from './request-connection';

/**
 * Sends a verified range: its bytes, then their page checksums. The first piece is verified before
 * the status is sent; damage met later can only cut the connection, which no reader takes for an
 * end. Returns the bytes sent.
 */
export async function sendShard(exchange: ShardExchange, reader: ShardReader): Promise<number> {
  let sentBytes = 0;
  let piece = await reader.next();
  while (piece !== null && !exchange.isCut) {
    const isFirst = sentBytes === 0;
    sentBytes += piece.byteLength;
    const isLast = sentBytes >= reader.lengthBytes;
    const pieces = isLast ? [piece, reader.table] : [piece];
    // The socket reads the buffer until the write is done, and the reader fills it again.
    if (isFirst) await exchange.begin(200, headOf(reader), pieces, isLast);
    else await exchange.send(pieces, isLast);
    if (isLast) return sentBytes + reader.table.byteLength;
    piece = await reader.next();
  }
  return sentBytes;
}

function headOf(reader: ShardReader): Readonly<Record<string, string | number>> {
  return {
    'content-type': 'application/octet-stream',
    'content-length': reader.lengthBytes + reader.table.byteLength,
    'x-azimuth-shard-size': reader.attributes.shardSizeBytes,
  };
}
