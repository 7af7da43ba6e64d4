import { RangeQueue } from '../../src/server/range-queue';

const turns = async (): Promise<void> => {
  for (let count = 0; count < 10; count += 1) await Promise.resolve();
};

describe('lists that wait for their turn', () => {
  it('four run at a time, the others in the order in which they came, none is refused', async () => {
    const queue = new RangeQueue();
    const started: number[] = [];
    const finish: (() => void)[] = [];
    const answers = Array.from({ length: 10 }, (_, at) =>
      queue.run(async () => {
        started.push(at);
        await new Promise<void>((resolve) => finish.push(resolve));
        return at;
      }),
    );
    await turns();
    expect(started).toEqual([0, 1, 2, 3]);
    finish[2]!();
    await turns();
    expect(started).toEqual([0, 1, 2, 3, 4]);
    for (let at = 0; at < 10; at += 1) {
      finish[at]?.();
      await turns();
    }
    expect(started).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(await Promise.all(answers)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  it('a list that fails gives its turn away', async () => {
    const queue = new RangeQueue();
    const fail = (): Promise<never> => Promise.reject(new Error('damaged'));
    const failed = await Promise.allSettled(Array.from({ length: 9 }, () => queue.run(fail)));
    expect(failed.every(({ status }) => status === 'rejected')).toBe(true);
    expect(await queue.run(() => 7)).toBe(7);
  });
});
