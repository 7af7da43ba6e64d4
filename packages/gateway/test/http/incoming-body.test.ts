import { EventEmitter } from 'node:events';

import { seededRandom } from '@azimuth/common';

import { IncomingBody } from '../../src/http/incoming-body';
import { S3Error } from '../../src/s3/s3-error';
import { ManualClock } from '../support/manual-clock';

const PROGRESS = { windowMs: 30_000, bytes: 30 * 1024 };

/** A socket that delivers what it is told, when it is not paused. */
class ScriptedStream extends EventEmitter {
  isPaused = false;
  complete = false;
  destroyed = false;

  pause(): this {
    this.isPaused = true;
    return this;
  }

  resume(): this {
    this.isPaused = false;
    return this;
  }
}

function open(): {
  stream: ScriptedStream;
  clock: ManualClock;
  body: IncomingBody;
  starts: number[];
} {
  const stream = new ScriptedStream();
  const clock = new ManualClock();
  const starts: number[] = [];
  const body = new IncomingBody(stream, clock, PROGRESS, () => starts.push(clock.monotonicMs()));
  return { stream, clock, body, starts };
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    return error instanceof S3Error ? error.code : String(error);
  }
  return 'accepted';
}

describe('the body of a request', () => {
  it('asks for 100 Continue only when somebody reads it (G-15)', async () => {
    const { stream, body, starts } = open();
    expect(starts).toHaveLength(0);

    const read = body.readInto(() => undefined);
    stream.emit('end');
    await read;

    expect(starts).toHaveLength(1);
  });

  it('refuses a client that sends a byte now and then (slowloris, table row 43)', async () => {
    const { stream, clock, body } = open();
    const read = codeOf(body.readInto(() => undefined));
    for (let second = 0; second < 30; second += 1) {
      stream.emit('data', Buffer.alloc(1000));
      clock.advance(1000);
    }

    expect(await read).toBe('RequestTimeout');
    expect(clock.timerCount).toBe(0);
  });

  it('lets a slow but steady upload take hours', async () => {
    const { stream, clock, body } = open();
    const random = seededRandom(7);
    const read = body.readInto(() => undefined);
    for (let second = 0; second < 3 * 3600; second += 1) {
      stream.emit('data', Buffer.alloc(1100 + random.below(200)));
      clock.advance(1000);
    }
    stream.emit('end');
    await read;

    expect(body.receivedBytes).toBeGreaterThan(3 * 3600 * 1100);
    expect(clock.timerCount).toBe(0);
  });

  it('does not blame the client for a sink that is busy', async () => {
    const { stream, clock, body } = open();
    let release = (): void => undefined;
    const read = body.readInto(() => new Promise<void>((resolve) => (release = resolve)));
    stream.emit('data', Buffer.alloc(10));
    expect(stream.isPaused).toBe(true);
    clock.advance(10 * 60_000);
    release();
    await Promise.resolve();
    await Promise.resolve();
    expect(stream.isPaused).toBe(false);
    stream.emit('end');

    await read;
  });

  it('is not complete before the sink has taken the last chunk', async () => {
    const { stream, body } = open();
    let release = (): void => undefined;
    let isDone = false;
    const read = body
      .readInto(() => new Promise<void>((resolve) => (release = resolve)))
      .then(() => (isDone = true));
    stream.emit('data', Buffer.alloc(10));
    stream.emit('end');
    await Promise.resolve();
    expect(isDone).toBe(false);

    release();
    await read;

    expect(isDone).toBe(true);
  });

  it('reports a client that goes away, also before reading began', async () => {
    const during = open();
    const read = codeOf(during.body.readInto(() => undefined));
    during.stream.emit('close');
    const before = open();
    before.stream.destroyed = true;

    expect(await read).toBe('IncompleteBody');
    expect(await codeOf(before.body.readInto(() => undefined))).toBe('IncompleteBody');
    expect([during.clock.timerCount, before.clock.timerCount]).toEqual([0, 0]);
  });

  it('passes on what the sink fails with, and stops the sender', async () => {
    const thrown = open();
    const read = codeOf(
      thrown.body.readInto(() => {
        throw new S3Error('BadDigest');
      }),
    );
    thrown.stream.emit('data', Buffer.alloc(1));
    const rejected = open();
    const readTwo = codeOf(rejected.body.readInto(() => Promise.reject(new S3Error('SlowDown'))));
    rejected.stream.emit('data', Buffer.alloc(1));

    expect([await read, await readTwo]).toEqual(['BadDigest', 'SlowDown']);
    expect([thrown.stream.isPaused, rejected.stream.isPaused]).toEqual([true, true]);
    expect(thrown.stream.listenerCount('data')).toBe(0);
  });

  it('drops the rest of a refused body up to a limit', async () => {
    const small = open();
    const dropped = small.body.discard(100);
    small.stream.emit('data', Buffer.alloc(100));
    small.stream.emit('end');
    const large = open();
    const refused = large.body.discard(100);
    large.stream.emit('data', Buffer.alloc(101));

    expect([await dropped, await refused]).toEqual([true, false]);
  });
});
