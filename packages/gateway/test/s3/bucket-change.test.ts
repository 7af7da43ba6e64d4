import type { ClusterView } from '@azimuth/clients';

import { changeConfiguration, changeVersioning } from '../../src/s3/bucket/bucket-change';
import type { OperationContext } from '../../src/s3/operation';
import { BUCKET, Harness, whileTimePasses } from './harness';
import { refusal } from './refusal';

/** A view that shows a change only after its watch has answered so many times. */
async function lagging(
  answers: number,
): Promise<{ harness: Harness; context: OperationContext; waits: () => number }> {
  const harness = await Harness.create();
  await harness.bucket();
  const before = await harness.metadata.view.bucket(BUCKET);
  let waits = 0;
  const view: Partial<ClusterView> = {
    ageMs: () => 0,
    bucket: (name) =>
      waits < answers ? Promise.resolve(before) : harness.metadata.view.bucket(name),
    waitForChange(timeoutMs) {
      waits += 1;
      harness.clock.advance(timeoutMs);
      return Promise.resolve();
    },
  };
  const context = { ...harness.context, view: view as ClusterView };
  return { harness, context, waits: () => waits };
}

describe('a change of a bucket', () => {
  it('is answered when this gateway acts on it', async () => {
    for (const change of [
      async (context: OperationContext) =>
        changeConfiguration((await context.view.bucket(BUCKET))!, 'accelerate', 'Enabled', context),
      async (context: OperationContext) =>
        changeVersioning((await context.view.bucket(BUCKET))!, 'enabled', context),
    ]) {
      const { context, waits } = await lagging(3);
      await change(context);
      expect(waits()).toBe(3);
    }
  });

  it('is not waited for without end: it is committed', async () => {
    const { harness, context, waits } = await lagging(Infinity);
    const bucket = (await context.view.bucket(BUCKET))!;
    await changeConfiguration(bucket, 'accelerate', 'Enabled', context);
    expect(waits()).toBeLessThan(20);
    const stored = await harness.metadata.queryRoot('GetBucket', { name: BUCKET });
    expect(stored?.configurations['accelerate']).toBe('"Enabled"');
  });

  it('that is none asks nobody', async () => {
    const { context, waits } = await lagging(3);
    const bucket = (await context.view.bucket(BUCKET))!;
    await changeConfiguration(bucket, 'accelerate', null, context);
    expect(waits()).toBe(0);
  });

  it('is refused when the bucket was made again in between', async () => {
    const { harness, context } = await lagging(0);
    const bucket = (await context.view.bucket(BUCKET))!;
    await harness.send('DeleteBucket');
    await harness.bucket();
    await expect(changeConfiguration(bucket, 'accelerate', 'Enabled', context)).rejects.toEqual(
      refusal('NoSuchBucket'),
    );
    await expect(changeVersioning(bucket, 'enabled', context)).rejects.toEqual(
      refusal('NoSuchBucket'),
    );
  });

  it('is refused by a gateway that lost its watch', async () => {
    const harness = await Harness.create();
    await harness.bucket();
    harness.viewAgeMs = 6_000;
    const body = '<AccelerateConfiguration><Status>Enabled</Status></AccelerateConfiguration>';
    const sent = harness.send('PutBucketAccelerateConfiguration', { body });
    const { reply } = await whileTimePasses(harness, sent);
    expect(reply).toMatchObject({ status: 503, code: 'SlowDown' });
  });
});
