import type { ByteSink } from '../../src/data-path/byte-source';
import { primeRead } from '../../src/s3/object/primed-read';

/** A read of three chunks in one shared buffer, as the data path does it. */
async function threeChunks(sink: ByteSink): Promise<void> {
  const shared = Buffer.alloc(1);
  for (const value of [1, 2, 3]) {
    shared[0] = value;
    await sink(shared);
  }
}

function collector(): { readonly sink: ByteSink; readonly bytes: number[] } {
  const bytes: number[] = [];
  return {
    bytes,
    sink: (chunk) => {
      bytes.push(...chunk);
      return undefined;
    },
  };
}

describe('a primed read', () => {
  const { signal } = new AbortController();

  it('pushes every byte once, in order', async () => {
    const write = await primeRead(threeChunks, signal);
    const { sink, bytes } = collector();
    await write(sink);
    expect(bytes).toEqual([1, 2, 3]);
  });

  it('fails before there is anything to answer with', async () => {
    const read = (): Promise<void> => Promise.reject(new Error('no shards'));
    await expect(primeRead(read, signal)).rejects.toThrow('no shards');
  });

  it('passes a failure in the middle on to the writer', async () => {
    const write = await primeRead(async (sink) => {
      await sink(Buffer.of(1));
      throw new Error('lost a shard');
    }, signal);
    const { sink, bytes } = collector();
    await expect(write(sink)).rejects.toThrow('lost a shard');
    expect(bytes).toEqual([1]);
  });

  it('passes the refusal of the sink to the source', async () => {
    let seen: unknown = null;
    const write = await primeRead(async (sink) => {
      try {
        await threeChunks(sink);
      } catch (error) {
        seen = error;
        throw error;
      }
    }, signal);
    const refusal = new Error('client gone');
    await expect(write(() => Promise.reject(refusal))).rejects.toThrow('client gone');
    expect(seen).toBe(refusal);
  });

  it('holds one chunk back, and lets the source go when the client leaves', async () => {
    const abort = new AbortController();
    let pushed = 0;
    let ended: unknown = null;
    await primeRead(async (sink) => {
      try {
        await threeChunks((chunk) => {
          pushed += 1;
          return sink(chunk);
        });
      } catch (error) {
        ended = error;
        throw error;
      }
    }, abort.signal);
    expect(pushed).toBe(1);
    const reason = new Error('client gone');
    abort.abort(reason);
    await new Promise((resolve) => setImmediate(resolve));
    expect(ended).toBe(reason);
  });

  it('does not start for a client that has left already', async () => {
    await expect(primeRead(threeChunks, AbortSignal.abort(new Error('gone')))).rejects.toThrow(
      'gone',
    );
  });
});
