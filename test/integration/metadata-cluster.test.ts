import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { createClusterView, createMetadataClient } from '@azimuth/clients';
import { silentLogger, systemClock, systemRandom } from '@azimuth/common';
import type { MetadataPeer, Service } from '@azimuth/common';
import { runMetadata } from '@azimuth/metadata-raft';
import { createAuthority, issueCertificate } from '@azimuth/rpc';
import type { AuthorityMaterial, Role, TlsMaterial } from '@azimuth/rpc';

const CLUSTER_ID = '0123456789abcdef0123456789abcdef';
const BUCKET_ID = '00112233445566778899aabbccddeeff';
const ZONES = ['a', 'b', 'c'];

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

class Cluster {
  readonly directory = mkdtempSync(join(tmpdir(), 'azimuth-metadata-'));
  readonly nodes = new Map<string, Service>();
  peers: MetadataPeer[] = [];
  #authority: AuthorityMaterial | null = null;

  async start(): Promise<void> {
    this.#authority = await createAuthority(CLUSTER_ID, systemClock);
    for (const zone of ZONES) {
      const port = await freePort();
      this.peers.push({ nodeId: `${zone}-metadata-1`, zone, host: '127.0.0.1', port });
    }
    for (const { nodeId, zone } of this.peers) {
      const directory = join(this.directory, nodeId, 'tls');
      mkdirSync(directory, { recursive: true });
      const tls = await this.tls('metadata', zone, nodeId);
      writeFileSync(join(directory, 'ca.pem'), tls.caPem);
      writeFileSync(join(directory, 'node.pem'), tls.certPem);
      writeFileSync(join(directory, 'node-key.pem'), tls.keyPem, { mode: 0o600 });
    }
    await Promise.all(this.peers.map(({ nodeId }) => this.startNode(nodeId)));
  }

  tls(role: Role, zone: string, nodeId: string): Promise<TlsMaterial> {
    const identity = { clusterId: CLUSTER_ID, zone, role, nodeId };
    return issueCertificate(this.#authority!, { identity, addresses: ['127.0.0.1'] }, systemClock);
  }

  async startNode(nodeId: string): Promise<void> {
    const peer = this.peers.find((each) => each.nodeId === nodeId)!;
    const flags = {
      clusterId: CLUSTER_ID,
      nodeId,
      zone: peer.zone,
      tlsDirectory: join(this.directory, nodeId, 'tls'),
      dataDirectory: join(this.directory, nodeId, 'data'),
      metadataPeers: this.peers,
      rpcPort: peer.port,
      zones: ZONES,
      indexGroups: 2,
      logLevel: 'silent',
    };
    this.nodes.set(nodeId, await runMetadata({ flags }));
  }

  async stopNode(nodeId: string): Promise<void> {
    await this.nodes.get(nodeId)?.close();
    this.nodes.delete(nodeId);
  }

  async stop(): Promise<void> {
    for (const nodeId of [...this.nodes.keys()]) await this.stopNode(nodeId);
    rmSync(this.directory, { recursive: true, force: true });
  }
}

describe('a metadata cluster of three nodes', () => {
  const cluster = new Cluster();
  beforeAll(() => cluster.start(), 30_000);
  afterAll(() => cluster.stop(), 30_000);

  async function connect() {
    const metadata = createMetadataClient({
      peers: cluster.peers,
      tls: await cluster.tls('gateway', 'a', 'a-gateway-1'),
      clusterId: CLUSTER_ID,
      clock: systemClock,
      random: systemRandom,
      logger: silentLogger,
    });
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
    const startedMs = systemClock.monotonicMs();
    const base = { versioning: 'unversioned' as const, configurations: {} };
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
