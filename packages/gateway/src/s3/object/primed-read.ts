import type { ByteSink } from '../../data-path/byte-source';

/** Reads into a sink; what `DataPath.read` is once body and range are known. */
export type Read = (sink: ByteSink) => Promise<void>;

/**
 * Starts a read and returns once its first bytes have arrived, and wait. So a body that cannot be
 * read is known before the status line is sent, and can still be looked up again or refused
 * properly.
 *
 * The source is held back by its own back-pressure: one chunk waits. The response may never be
 * written, because the client is gone: then the signal lets the source go.
 */
export async function primeRead(read: Read, signal: AbortSignal): Promise<Read> {
  signal.throwIfAborted();
  let sink: ByteSink | null = null;
  let begin: (sink: ByteSink) => void = () => undefined;
  let abandon: () => void = () => undefined;
  const sinkIsKnown = new Promise<ByteSink>((resolve, reject) => {
    begin = resolve;
    abandon = () => reject(signal.reason as Error);
  });
  // Abandoned before a chunk waits for it, nobody else would look at this promise.
  sinkIsKnown.catch(() => undefined);
  signal.addEventListener('abort', abandon, { once: true });

  let finished: Promise<void> = Promise.resolve();
  const firstChunk = new Promise<void>((resolve) => {
    finished = read((chunk) => {
      if (sink !== null) return sink(chunk);
      resolve();
      return sinkIsKnown.then((known) => known(chunk));
    });
  });
  try {
    await Promise.race([firstChunk, finished]);
  } catch (error) {
    signal.removeEventListener('abort', abandon);
    throw error;
  }
  // Whoever writes the response sees the outcome; until then a failure must not be "unhandled".
  finished.catch(() => undefined);

  return async (target) => {
    sink = target;
    begin(target);
    try {
      await finished;
    } finally {
      signal.removeEventListener('abort', abandon);
    }
  };
}
