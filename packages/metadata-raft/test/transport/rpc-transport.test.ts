import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { seededRandom, silentLogger, systemClock } from '@azimuth/common';
import { RaftStub } from '@azimuth/proto';
import type { RaftStubClient } from '@azimuth/proto';
import { createAuthority, createClient, issueCertificate, startRpcServer } from '@azimuth/rpc';
import type { Role, RpcServer, TlsMaterial } from '@azimuth/rpc';

import { createMetadataDriver } from '../../src/driver/metadata-driver';
import type { MetadataDriver } from '../../src/driver/metadata-driver';
import type { RaftGroup } from '../../src/driver/state-machine';
import { openFileLogDisk } from '../../src/disk/file-log-disk';
import { createRpcTransport } from '../../src/transport/rpc-transport';
import { encodeCommand, RegisterMachine } from '../driver/register-machine';

const CLUSTER = 'c'.repeat(32);
const VOTERS = ['n1', 'n2', 'n3'];
const HOST = '127.0.0.1';

interface Node {
  readonly id: string;
  readonly driver: MetadataDriver;
  readonly server: RpcServer;
  readonly machine: RegisterMachine;
  readonly group: RaftGroup;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, HOST, resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function eventually<T>(probe: () => T | undefined | false): Promise<T> {
  for (let attempt = 0; attempt < 3000; attempt += 1) {
    const found = probe();
    if (found !== undefined && found !== false) return found;
    await systemClock.sleep(5);
  }
  throw new Error('it did not happen');
}

describe('raft over mutual TLS', () => {
  let directory: string;
  let authority: Awaited<ReturnType<typeof createAuthority>>;
  let ports: number[];
  const nodes = new Map<string, Node>();

  const tlsOf = (nodeId: string, role: Role): Promise<TlsMaterial> =>
    issueCertificate(
      authority,
      { identity: { clusterId: CLUSTER, role, nodeId, zone: 'z1' }, addresses: [HOST] },
      systemClock,
    );

  const start = async (nodeId: string): Promise<Node> => {
    const tls = await tlsOf(nodeId, 'metadata');
    const transport = createRpcTransport({
      ...{ nodeId, clusterId: CLUSTER, tls },
      peers: VOTERS.map((id, position) => ({ nodeId: id, host: HOST, port: ports[position]! })),
      clock: systemClock,
      random: seededRandom(1),
      logger: silentLogger,
    });
    const server = await startRpcServer(
      {
        ...{ tls, clusterId: CLUSTER, host: HOST, logger: silentLogger },
        port: ports[VOTERS.indexOf(nodeId)]!,
      },
      [transport.registration],
    );
    const driver = createMetadataDriver({
      ...{ nodeId, voters: VOTERS, transport, whenEmpty: 'bootstrap', bootId: 'b' },
      disk: await openFileLogDisk(join(directory, nodeId)),
      clock: systemClock,
      random: seededRandom(nodeId.charCodeAt(1)),
      logger: silentLogger,
      onFatal: (error) => {
        throw error;
      },
      tickMs: 20,
      compactionBytesMin: 20_000,
      trailingEntries: 4,
    });
    const machine = new RegisterMachine();
    const group = driver.addGroup('root', machine);
    await driver.start();
    const node = { id: nodeId, driver, server, machine, group };
    nodes.set(nodeId, node);
    return node;
  };

  const stop = async (id: string): Promise<void> => {
    await nodes.get(id)?.driver.close();
    await nodes.get(id)?.server.close();
    nodes.delete(id);
  };

  const leader = (): Promise<Node> =>
    eventually(() => [...nodes.values()].find((node) => node.group.status().role === 'leader'));

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'azimuth-raft-rpc-'));
    authority = await createAuthority(CLUSTER, systemClock);
    ports = [await freePort(), await freePort(), await freePort()];
    for (const id of VOTERS) await start(id);
  });

  afterAll(async () => {
    for (const id of VOTERS) await stop(id);
    await rm(directory, { recursive: true, force: true });
  });

  it('replicates, survives the loss of a node, and brings it back with a snapshot', async () => {
    const first = await leader();
    const late = VOTERS.find((id) => id !== first.id)!;
    await stop(late);
    for (let round = 0; round < 10; round += 1) {
      await Promise.all(
        Array.from({ length: 50 }, (_, key) =>
          first.group.propose(
            encodeCommand({ id: `${String(round)}-${String(key)}`, key: String(key), value: 'v' }),
          ),
        ),
      );
    }
    await first.group.readIndex();
    const { machine } = await start(late);
    await eventually(() => machine.lastApplied() === first.machine.lastApplied());
    expect(await machine.stateHash()).toBe(await first.machine.stateHash());
  }, 30_000);

  const callMessages = async (nodeId: string, role: Role, from: string): Promise<number> => {
    const stub = createClient<RaftStubClient>(RaftStub, {
      ...{ host: HOST, port: ports[0]!, tls: await tlsOf(nodeId, role), clusterId: CLUSTER },
      expectedRole: 'metadata',
    });
    try {
      return await new Promise<number>((resolve) => {
        const call = stub.Messages((error) => resolve(error?.code ?? 0));
        call.on('error', () => undefined);
        call.write({
          messages: [{ group: 'root', type: 'TIMEOUT_NOW', from, to: 'n1', term: 99 }],
        });
        call.end();
      });
    } finally {
      stub.close();
    }
  };

  const PERMISSION_DENIED = 7;

  it('refuses other roles, nodes that are no voters, and a voter that speaks for another', async () => {
    const term = (await leader()).group.status().term;
    expect(await callMessages('g1', 'gateway', 'n2')).toBe(PERMISSION_DENIED);
    expect(await callMessages('n9', 'metadata', 'n9')).toBe(PERMISSION_DENIED);
    expect(await callMessages('n2', 'metadata', 'n3')).toBe(PERMISSION_DENIED);
    expect((await leader()).group.status().term).toBe(term);
  });
});
