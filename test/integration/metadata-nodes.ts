import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { createMetadataClient } from '@azimuth/clients';
import type { MetadataAdministration } from '@azimuth/clients';
import { silentLogger, systemClock, systemRandom } from '@azimuth/common';
import type { MetadataPeer, Service } from '@azimuth/common';
import { runMetadata } from '@azimuth/metadata-raft';
import { createAuthority, issueCertificate } from '@azimuth/rpc';
import type { AuthorityMaterial, Role, TlsMaterial } from '@azimuth/rpc';

export const CLUSTER_ID = '0123456789abcdef0123456789abcdef';
export const ZONES = ['a', 'b', 'c'];

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Metadata nodes in this process that talk over sockets, each over its own directory. */
export class MetadataCluster {
  readonly directory = mkdtempSync(join(tmpdir(), 'azimuth-metadata-'));
  readonly nodes = new Map<string, Service>();
  peers: MetadataPeer[] = [];
  #authority: AuthorityMaterial | null = null;

  async start(): Promise<void> {
    this.#authority = await createAuthority(CLUSTER_ID, systemClock);
    for (const zone of ZONES) this.peers.push(await this.makeNode(`${zone}-metadata-1`, zone));
    await Promise.all(this.peers.map(({ nodeId }) => this.startNode(nodeId)));
  }

  /** A name, a certificate and a port; nothing runs yet. */
  async makeNode(nodeId: string, zone: string): Promise<MetadataPeer> {
    const directory = join(this.directory, nodeId, 'tls');
    mkdirSync(directory, { recursive: true });
    const tls = await this.tls('metadata', zone, nodeId);
    writeFileSync(join(directory, 'ca.pem'), tls.caPem);
    writeFileSync(join(directory, 'node.pem'), tls.certPem);
    writeFileSync(join(directory, 'node-key.pem'), tls.keyPem, { mode: 0o600 });
    return { nodeId, zone, host: '127.0.0.1', port: await freePort() };
  }

  async client(role: Role, nodeId: string): Promise<MetadataAdministration> {
    return createMetadataClient({
      peers: this.peers,
      tls: await this.tls(role, 'a', nodeId),
      clusterId: CLUSTER_ID,
      clock: systemClock,
      random: systemRandom,
      logger: silentLogger,
    });
  }

  tls(role: Role, zone: string, nodeId: string): Promise<TlsMaterial> {
    const identity = { clusterId: CLUSTER_ID, zone, role, nodeId };
    return issueCertificate(this.#authority!, { identity, addresses: ['127.0.0.1'] }, systemClock);
  }

  startNode(nodeId: string): Promise<void> {
    return this.startPeer(this.peers.find((each) => each.nodeId === nodeId)!);
  }

  async startPeer(peer: MetadataPeer, more: Record<string, unknown> = {}): Promise<void> {
    const { nodeId } = peer;
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
      ...more,
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
