import { blobData, blobOf, BUCKET_ID, draftOf, IndexDriver } from './index-fixture';

describe('the index that reads see', () => {
  it('is that of a batch as soon as reads see it, before the batch is written', async () => {
    const { machine, ...driver } = await open();
    const before = machine.visibleIndex;
    const written = driver.commit('a');
    // The records of the batch answer reads already.
    expect(machine.visibleIndex).toBe(before + 1);
    expect(machine.lastApplied()).toBe(before);
    await written;
    expect(machine.lastApplied()).toBe(before + 1);
    expect(machine.visibleIndex).toBe(before + 1);
  });
});

async function open() {
  const driver = await IndexDriver.open();
  const commit = (key: string): Promise<unknown> =>
    driver.run('CommitVersion', {
      ...{ bucketId: BUCKET_ID, key, versioning: 'unversioned', precondition: null },
      draft: draftOf(key, 100, 'e'),
      data: blobData(blobOf(key, 1)),
    });
  return { machine: driver.machine, commit };
}
