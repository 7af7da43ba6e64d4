import { connect } from 'node:tls';

import { credentials } from '@grpc/grpc-js';
import { silentLogger } from '@azimuth/common';
import { storageService, StorageStub } from '@azimuth/proto';
import type { StorageStubClient } from '@azimuth/proto';

import {
  createClient,
  peerOf,
  startRpcServer,
  toStoreError,
  unaryCall,
  unaryHandler,
} from '../src';
import type { AuthorityMaterial, RpcServer, TlsMaterial } from '../src';
import { CLUSTER_ID, makeAuthority, makeTls, OTHER_CLUSTER_ID } from './fixtures';

const TIMEOUT_MS = 2_000;

describe('mutual TLS between the nodes (T20)', () => {
  let authority: AuthorityMaterial;
  let serverTls: TlsMaterial;
  let server: RpcServer;
  const stubs: StorageStubClient[] = [];
  const callers: string[] = [];

  beforeAll(async () => {
    authority = await makeAuthority();
    serverTls = await makeTls(authority, 'storage');
    const unused = unaryHandler(() => Promise.reject(new Error('secret text of a bug')));
    server = await startRpcServer(
      { tls: serverTls, clusterId: CLUSTER_ID, host: '127.0.0.1', port: 0, logger: silentLogger },
      [
        {
          service: storageService,
          implementation: {
            GetHealth: unaryHandler((_request, peer) => {
              callers.push(peer.role);
              return Promise.resolve({ isServing: true, incarnation: 'x' });
            }),
            IssueSession: unused,
            GetStatistics: unused,
            ListShards: unused,
            VerifyShards: unused,
            RebuildShard: unused,
            ListFindings: unused,
          },
          allow: {
            GetHealth: ['gateway', 'admin'],
            IssueSession: ['gateway'],
            GetStatistics: ['admin'],
            ListShards: [],
            VerifyShards: [],
            RebuildShard: [],
            ListFindings: [],
          },
        },
      ],
    );
  });

  afterEach(() => {
    for (const stub of stubs.splice(0)) stub.close();
    callers.length = 0;
  });

  afterAll(() => server.close());

  const open = (tls: TlsMaterial, expected = {}): StorageStubClient => {
    const peer = {
      host: '127.0.0.1',
      port: server.port,
      tls,
      clusterId: CLUSTER_ID,
      expectedRole: 'storage' as const,
      ...expected,
    };
    const stub = createClient(StorageStub, peer);
    stubs.push(stub);
    return stub;
  };
  const health = (stub: StorageStubClient): Promise<unknown> =>
    unaryCall((options, done) => stub.GetHealth({}, options, done), { timeoutMs: TIMEOUT_MS });

  it('lets an allowed role in and tells the handler who it is', async () => {
    const answer = await health(open(await makeTls(authority, 'gateway')));
    expect(answer).toMatchObject({ isServing: true });
    expect(callers).toEqual(['gateway']);
  });

  it('refuses a role that the method does not allow', async () => {
    await expect(health(open(await makeTls(authority, 'metadata')))).rejects.toMatchObject({
      code: 'PERMISSION_DENIED',
    });
    expect(callers).toEqual([]);
  });

  it('refuses a certificate of the same CA that names another cluster', async () => {
    const tls = await makeTls(authority, 'gateway', OTHER_CLUSTER_ID);
    await expect(health(open(tls))).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
    expect(callers).toEqual([]);
  });

  it('refuses a certificate of another CA', async () => {
    const foreign = await makeTls(await makeAuthority(), 'gateway');
    const tls = { ...foreign, caPem: serverTls.caPem };
    await expect(health(open(tls))).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(callers).toEqual([]);
  });

  it('refuses a caller without a certificate, and one without TLS', async () => {
    const address = `127.0.0.1:${server.port}`;
    for (const channel of [credentials.createSsl(serverTls.caPem), credentials.createInsecure()]) {
      const stub = new StorageStub(address, channel, {
        'grpc.ssl_target_name_override': 'azimuth.internal',
      });
      stubs.push(stub);
      await expect(health(stub)).rejects.toMatchObject({ code: expect.any(String) });
    }
    expect(callers).toEqual([]);
  });

  it('refuses TLS below 1.3', async () => {
    const tls = await makeTls(authority, 'gateway');
    const failure = await new Promise((resolve) => {
      const socket = connect({
        host: '127.0.0.1',
        port: server.port,
        ca: tls.caPem,
        cert: tls.certPem,
        key: tls.keyPem,
        maxVersion: 'TLSv1.2',
        checkServerIdentity: () => undefined,
        ALPNProtocols: ['h2'],
      });
      socket.on('error', resolve);
      socket.on('secureConnect', () => resolve('connected'));
    });
    expect(failure).toMatchObject({ code: expect.stringMatching(/ALERT|PROTOCOL|RESET/) });
  });

  it.each([
    ['another role', { expectedRole: 'metadata' as const }],
    ['another cluster', { clusterId: OTHER_CLUSTER_ID }],
    ['another node', { expectedNodeId: 'b-storage-1' }],
  ])('does not talk to a server that is %s than expected', async (_what, expected) => {
    const stub = open(await makeTls(authority, 'gateway'), expected);
    await expect(health(stub)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(callers).toEqual([]);
  });

  it('keeps the text of an unexpected error from the peer', async () => {
    const stub = open(await makeTls(authority, 'admin'));
    const failure: unknown = await unaryCall(
      (options, done) => stub.GetStatistics({}, options, done),
      { timeoutMs: TIMEOUT_MS },
    ).catch((error: unknown) => error);
    expect(toStoreError(failure).code).toBe('INTERNAL');
    expect(String(failure)).not.toContain('secret');
  });

  it('knows only callers that it has admitted', () => {
    expect(() => peerOf({})).toThrow('identity of the caller');
  });
});
