import { rmSync } from 'node:fs';
import { join } from 'node:path';

import type { MetadataAdministration } from '@azimuth/clients';
import { systemClock } from '@azimuth/common';

import { MetadataCluster } from './metadata-nodes';

const BUCKET_ID = '00112233445566778899aabbccddeeff';

async function eventually<T>(probe: () => Promise<T | null | false>): Promise<T> {
  for (let attempt = 0; attempt < 150; attempt += 1) {
    const found = await probe().catch(() => null);
    if (found !== null && found !== false) return found;
    await systemClock.sleep(100);
  }
  throw new Error('it did not happen');
}

/** Writes one key after the other, and remembers what was acknowledged. */
class Writer {
  readonly acknowledged: string[] = [];
  readonly #metadata: MetadataAdministration;
  #isStopped = false;
  readonly #work: Promise<void>;

  constructor(metadata: MetadataAdministration) {
    this.#metadata = metadata;
    this.#work = this.#run();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#work;
  }

  async #run(): Promise<void> {
    for (let n = 0; !this.#isStopped; n += 1) {
      const key = `key-${String(n)}`;
      await this.#write(key, `index-${n % 2}`).then(
        () => this.acknowledged.push(key),
        () => undefined,
      );
      await systemClock.sleep(2);
    }
  }

  async #write(key: string, group: string): Promise<void> {
    await this.#metadata.index(group, 'CommitVersion', {
      bucketId: BUCKET_ID,
      key,
      versioning: 'unversioned',
      draft: {
        ...{ key, sizeBytes: key.length, etag: key, storageClass: 'STANDARD', owner: 'me' },
        ...{ headers: {}, userMetadata: {}, checksum: null, tags: {}, acl: null },
      },
      data: { inline: Buffer.from(key), blobs: [], missing: [] },
      precondition: null,
    });
  }
}

describe('a metadata node that is lost for good', () => {
  const cluster = new MetadataCluster();
  let gateway: MetadataAdministration;
  let admin: MetadataAdministration;
  let writer: Writer | null = null;

  beforeAll(async () => {
    await cluster.start();
    gateway = await cluster.client('gateway', 'a-gateway-1');
    admin = await cluster.client('admin', 'admin');
  }, 30_000);
  afterAll(async () => {
    await writer?.stop();
    await gateway.close();
    await admin.close();
    await cluster.stop();
  }, 30_000);

  const nodes = async () => {
    const statuses = await admin.status();
    for (const { metadataNodes } of statuses) admin.follow(metadataNodes);
    return statuses.find(({ groups }) => groups[0]?.role === 'leader')?.metadataNodes ?? [];
  };

  it('is replaced under load by a node with an empty directory, and nothing is lost', async () => {
    await eventually(async () => {
      const known = await nodes();
      return known.length === 3 && known.every(({ incarnation }) => incarnation !== null);
    });
    writer = new Writer(gateway);
    const { acknowledged } = writer;
    await eventually(() => Promise.resolve(acknowledged.length > 50));

    // The one that leads root goes, with its disk.
    const statuses = await admin.status();
    const lost = statuses.find(({ groups }) => groups[0]?.role === 'leader')!;
    await cluster.stopNode(lost.nodeId);
    rmSync(join(cluster.directory, lost.nodeId, 'data'), { recursive: true });
    const peer = await cluster.makeNode(`${lost.zone}-metadata-2`, lost.zone);
    await cluster.startPeer(peer, { whenEmpty: 'join' });

    const replace = { kind: 'change' as const, add: [peer], remove: [lost.nodeId] };
    const planned = await admin.intend(replace, true);
    expect(planned.lines.join('\n')).toContain(`${lost.nodeId} in zone ${lost.zone} stops voting`);
    await admin.intend(replace, false);
    await eventually(async () => {
      const known = await nodes();
      const names = known.map(({ nodeId }) => nodeId);
      return names.includes(peer.nodeId) && !names.includes(lost.nodeId) && known.length === 3;
    });

    // Without another old voter the new one is needed, and is led by or leads.
    const second = cluster.peers.find(({ nodeId }) => nodeId !== lost.nodeId)!;
    const before = acknowledged.length;
    await cluster.stopNode(second.nodeId);
    await eventually(() => Promise.resolve(acknowledged.length > before + 50));
    await writer.stop();
    for (const key of acknowledged) {
      const group = `index-${Number(key.slice(4)) % 2}`;
      const asked = { bucketId: BUCKET_ID, key, versionId: null, withBody: true };
      const found = await gateway.queryIndex(group, 'GetVersion', asked);
      expect(Buffer.from(found?.body?.inline ?? []).toString()).toBe(key);
    }

    // pitfall 17: the wiped node is refused under its old name.
    rmSync(join(cluster.directory, second.nodeId, 'data'), { recursive: true });
    await expect(cluster.startPeer(second)).rejects.toMatchObject({
      code: 'ALREADY_EXISTS',
      detail: { hint: expect.stringContaining('azimuth metadata replace') },
    });
  }, 60_000);
});
