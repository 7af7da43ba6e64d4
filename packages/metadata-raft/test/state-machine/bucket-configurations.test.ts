import type { BucketRecord } from '@azimuth/proto';

import { MemoryKeyValueStore } from '../../src/state-machine/memory-key-value-store';
import { newBucket, openCluster, RootDriver } from './root-fixture';

const AT = { name: 'photos', bucketId: '00112233445566778899aabbccddeeff' };
const REFUSED = { code: 'INVALID_ARGUMENT' };

function bucketOf(driver: RootDriver): BucketRecord | null {
  return driver.machine.commands.state.get('bucket', AT.name);
}

function put(driver: RootDriver, configuration: string, document: string | null) {
  return driver.run('SetBucketConfiguration', { ...AT, configuration, document });
}

function bytesOf(driver: RootDriver): number {
  return driver.machine.counters.configurationBytes;
}

describe('configurations of a bucket', () => {
  it('are put, replaced, removed, and there from the start', async () => {
    const store = new MemoryKeyValueStore();
    const driver = await openCluster(store);
    const configurations = { objectLock: '{"isEnabled":true}' };
    await driver.run('CreateBucket', newBucket({ versioning: 'enabled', configurations }));
    expect(bucketOf(driver)).toMatchObject({ versioning: 'enabled', configurations });
    await put(driver, 'cors', '[1]');
    expect(await put(driver, 'cors', '[2]')).toMatchObject({ ok: true });
    expect(bucketOf(driver)?.configurations).toEqual({ ...configurations, cors: '[2]' });
    const { version } = driver.watch(0);
    await put(driver, 'cors', '[2]');
    expect(driver.watch(version).kind).toBe('unchanged');
    await put(driver, 'objectLock', null);
    await put(driver, 'never-there', null);
    expect(bucketOf(driver)?.configurations).toEqual({ cors: '[2]' });
    expect(bytesOf(driver)).toBe('cors[2]'.length);

    const again = await RootDriver.open(store);
    expect(bucketOf(again)).toEqual(bucketOf(driver));
    expect(bytesOf(again)).toBe(bytesOf(driver));
  });

  it('belong to the bucket that was meant, not to one made again under its name', async () => {
    const driver = await openCluster();
    await driver.run('CreateBucket', newBucket());
    const meant = { ...AT, bucketId: 'f'.repeat(32), configuration: 'cors', document: '[]' };
    const missing = { code: 'BUCKET_NOT_FOUND' };
    expect(await driver.run('SetBucketConfiguration', meant)).toMatchObject(missing);
    const other = { ...meant, name: 'other' };
    expect(await driver.run('SetBucketConfiguration', other)).toMatchObject(missing);
  });

  it('have limits, and a refusal changes nothing', async () => {
    const driver = await openCluster();
    await driver.run('CreateBucket', newBucket());
    // A quarter of a mebibyte as UTF-8, a third as many characters.
    const largest = 'é'.repeat(128 * 1024);
    expect(await put(driver, 'policy', largest)).toMatchObject({ ok: true });
    expect(await put(driver, 'policy', `${largest}x`)).toMatchObject(REFUSED);
    for (let number = 1; number < 15; number += 1) await put(driver, `a/${number}`, largest);
    expect(await put(driver, 'too-much', largest)).toMatchObject(REFUSED);
    expect(Object.keys(bucketOf(driver)?.configurations ?? {})).toHaveLength(15);
    expect(await driver.run('CreateBucket', newBucket({ name: 'many' }))).toMatchObject({
      ok: true,
    });
    const names = Array.from({ length: 4_001 }, (_, number) => [`a/${number}`, '{}']);
    const configurations: unknown = Object.fromEntries(names);
    expect(
      await driver.run('CreateBucket', newBucket({ name: 'more', configurations })),
    ).toMatchObject(REFUSED);
  });

  it('are bounded over all buckets, and what goes with a bucket makes room', async () => {
    const driver = await openCluster();
    const document = 'x'.repeat(256 * 1024);
    const names = Array.from({ length: 15 }, (_, number) => [`a/${number}`, document]);
    const configurations: unknown = Object.fromEntries(names);
    const create = (name: string) =>
      driver.run('CreateBucket', newBucket({ name, configurations }));
    for (let number = 0; number < 8; number += 1) {
      expect(await create(`b${number}`)).toMatchObject({ ok: true });
    }
    expect(await create('one-more')).toMatchObject(REFUSED);
    const at = { name: 'b0', bucketId: AT.bucketId };
    const marked = await driver.run('MarkBucketDeleting', { ...at, isDeleting: true });
    const { mark } = (marked as { result: { mark: number } }).result;
    await driver.run('RemoveBucket', { ...at, mark });
    expect(await create('one-more')).toMatchObject({ ok: true });
  });
});
