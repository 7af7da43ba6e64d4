import type { ServerResponse } from 'node:http';

import type { ShardReader } from '../store/shard-store';

/**
 * Sends a verified range: its bytes, then their page checksums. The first piece is verified before
 * the status is sent; damage met later can only cut the connection, which no reader takes for an
 * end. Returns the bytes sent.
 */
export async function sendShard(response: ServerResponse, reader: ShardReader): Promise<number> {
  let piece = await reader.next();
  response.writeHead(200, {
    'content-type': 'application/octet-stream',
    'content-length': reader.lengthBytes + reader.table.byteLength,
    'x-azimuth-shard-size': reader.attributes.shardSizeBytes,
  });
  let sentBytes = 0;
  while (piece !== null) {
    sentBytes += piece.byteLength;
    const isLast = sentBytes >= reader.lengthBytes;
    // The socket reads the buffer until the write is done, and the reader fills it again.
    const sent = write(response, piece);
    if (isLast) {
      response.end(reader.table);
      await sent;
      return sentBytes + reader.table.byteLength;
    }
    await sent;
    piece = await reader.next();
  }
  return sentBytes;
}

/** Resolves when the bytes have left the buffer; also when the peer has gone. */
function write(response: ServerResponse, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      response.off('close', done);
      resolve();
    };
    response.once('close', done);
    response.write(bytes, done);
  });
}
