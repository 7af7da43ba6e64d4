import { Semaphore } from '@azimuth/common';

describe('Semaphore', () => {
  it('admits as many as it has permits, the rest in order', async () => {
    const semaphore = new Semaphore(1, 2);
    const order: number[] = [];
    const first = await semaphore.acquire();
    const waiting = [1, 2].map(async (id) => {
      const release = await semaphore.acquire();
      order.push(id);
      release();
    });
    first();
    await Promise.all(waiting);
    expect(order).toEqual([1, 2]);
  });

  it('bounds the queue', async () => {
    const semaphore = new Semaphore(1, 0);
    await semaphore.acquire();
    await expect(semaphore.acquire()).rejects.toMatchObject({ code: 'OVERLOADED' });
  });

  it('counts a double release once', async () => {
    const semaphore = new Semaphore(1, 1);
    const release = await semaphore.acquire();
    release();
    release();
    await semaphore.acquire();
    const second = semaphore.acquire();
    const state = await Promise.race([second.then(() => 'acquired'), Promise.resolve('waiting')]);
    expect(state).toBe('waiting');
  });
});
