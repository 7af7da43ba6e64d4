import type { IncomingMessage } from 'node:http';

import { StoreError } from '@azimuth/common';

import type { ShardUpload } from '../store/shard-store';

/**
 * Feeds a request body into an upload, with the back-pressure of the disk, and finishes it. Returns
 * the bytes received. Plain events: reading a body by `for await` costs twice what receiving it
 * does.
 */
export function receiveShard(request: IncomingMessage, upload: ShardUpload): Promise<number> {
  return new Promise((resolve, reject) => {
    let receivedBytes = 0;
    let isSettled = false;
    const settle = (error: unknown): void => {
      if (isSettled) return;
      isSettled = true;
      request.off('data', onData);
      if (error === null) resolve(receivedBytes);
      else void upload.abort().then(() => reject(error as Error));
    };
    const onData = (chunk: Buffer): void => {
      receivedBytes += chunk.byteLength;
      try {
        const isRoomAgain = upload.write(chunk);
        if (isRoomAgain === undefined) return;
        request.pause();
        void isRoomAgain.then(() => request.resume());
      } catch (error) {
        settle(error);
      }
    };
    request.on('data', onData);
    request.once('end', () => {
      if (isSettled) return;
      upload.finish().then(() => settle(null), settle);
    });
    const onCut = (): void => {
      if (!request.complete) settle(new StoreError('CANCELLED', { reason: 'body was cut off' }));
    };
    request.once('error', onCut);
    request.once('close', onCut);
    // It may have been cut off before the listeners were there.
    if (request.destroyed) onCut();
  });
}
