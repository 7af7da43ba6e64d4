import { createClusterView } from '@azimuth/clients';
import { silentLogger, systemClock, systemRandom } from '@azimuth/common';

import { MetadataCluster, ZONES } from './metadata-nodes';

const BUCKET_ID = '00112233445566778899aabbccddeeff';

describe('a metadata cluster of three nodes', () => {
  const cluster = new MetadataCluster();
  beforeAll(() => cluster.start(), 30_000);
  afterAll(() => cluster.stop(), 30_000);

  async function connect() {
    const metadata = await cluster.client('gateway', 'a-gateway-1');
    const view = createClusterView({
      metadata,
      withIdentities: true,
      clock: systemClock,
      random: systemRandom,
      logger: silentLogger,
    });
    const close = async (): Promise<void> => {
      view.close();
      await metadata.close();
    };
    return { metadata, view, close };
  }

  const commit = (key: string, text: string) => ({
    bucketId: BUCKET_ID,
    key,
    versioning: 'unversioned' as const,
    draft: {
      key,
      sizeBytes: text.length,
      etag: text,
      storageClass: 'STANDARD',
      owner: 'me',
      headers: {},
      userMetadata: {},
      checksum: null,
      tags: {},
      acl: null,
    },
    data: { inline: Buffer.from(text), blobs: [], missing: [] },
    precondition: null,
  });

  it('initializes itself, tells watchers of changes, and refuses what a role may not do', async () => {
    const { metadata, view, close } = await connect();
    const created = await metadata.root('CreateBucket', {
      name: 'photos',
      bucketId: BUCKET_ID,
      owner: 'me',
      versioning: 'unversioned',
      configurations: {},
    });
    expect(created.versioning).toBe('unversioned');
    expect(await view.bucket('photos')).toEqual(created);
    while (view.ageMs() > 5_000) await view.waitForChange(100);
    expect(view.map().settings.zones).toEqual(ZONES);
    await expect(metadata.root('RemoveGroup', { pgId: 1 })).rejects.toMatchObject({
      code: 'PERMISSION_DENIED',
    });
    await close();
  });

  it('a change that was answered is in force at every gateway', async () => {
    const [author, other] = [await connect(), await connect()];
    await other.view.waitForChange(5_000);
    const at = { name: 'settings', bucketId: 'ab'.repeat(16) };
    const { metadata } = author;
    const base = { versioning: 'unversioned' as const, configurations: {} };
    // A leader that was just elected waits for watchers to come to it; the next change does not.
    const warm = { name: 'warm', bucketId: 'cd'.repeat(16), owner: 'me', ...base };
    await metadata.root('CreateBucket', warm);
    const startedMs = systemClock.monotonicMs();
    await metadata.root('CreateBucket', { ...at, owner: 'me', ...base });
    // Nobody was waited for in vain, not even the gateway that has just gone.
    expect(systemClock.monotonicMs() - startedMs).toBeLessThan(1_000);
    for (const document of ['first', 'second', null]) {
      await metadata.root('SetBucketConfiguration', { ...at, configuration: 'cors', document });
      const bucket = await other.view.bucket(at.name);
      expect(bucket?.configurations['cors'] ?? null).toBe(document);
    }
    const record = { keyId: 'k', secret: 's', createdMs: 1 };
    const changes = [{ kind: 'token-key' as const, name: 'k', record }];
    const { revision } = await metadata.root('CommitIdentities', { expectedRevision: 0, changes });
    for (const { view } of [author, other]) {
      expect(view.identities().revision).toBe(revision);
      expect(view.identities().get('token-key', 'k')).toEqual(record);
    }
    await expect(
      metadata.root('CommitIdentities', { expectedRevision: 0, changes }),
    ).rejects.toMatchObject({ code: 'PRECONDITION_FAILED', detail: { revision } });
    for (const { close } of [author, other]) await close();
  });

  it('keeps acknowledged writes and answers again soon after the loss of any one node', async () => {
    const { metadata, close } = await connect();
    const leaders = await metadata.status();
    expect(leaders).toHaveLength(3);
    for (const { nodeId } of cluster.peers) {
      await metadata.index('index-0', 'CommitVersion', commit(`before-${nodeId}`, 'x'));
      await cluster.stopNode(nodeId);
      const startedMs = systemClock.monotonicMs();
      await metadata.index('index-0', 'CommitVersion', commit(`without-${nodeId}`, 'y'));
      expect(systemClock.monotonicMs() - startedMs).toBeLessThan(5_000);
      await cluster.startNode(nodeId);
    }
    const page = await metadata.queryIndex('index-0', 'ListObjects', {
      bucketId: BUCKET_ID,
      prefix: '',
      delimiter: '',
      after: null,
      limit: 100,
    });
    expect(page.entries).toHaveLength(6);
    await close();
  }, 60_000);

  it('finds everything again after a restart of all nodes', async () => {
    for (const { nodeId } of cluster.peers) await cluster.stopNode(nodeId);
    await Promise.all(cluster.peers.map(({ nodeId }) => cluster.startNode(nodeId)));
    const { metadata, close } = await connect();
    const found = await metadata.queryIndex('index-0', 'GetVersion', {
      bucketId: BUCKET_ID,
      key: 'before-a-metadata-1',
      versionId: null,
      withBody: true,
    });
    expect(Buffer.from(found?.body?.inline ?? []).toString()).toBe('x');
    await close();
  }, 60_000);
});
