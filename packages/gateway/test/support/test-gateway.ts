import { request as httpRequest } from 'node:http';
import type { IncomingHttpHeaders } from 'node:http';
import { connect } from 'node:net';

import type { ClusterView } from '@azimuth/clients';
import { IdentityTable } from '@azimuth/clients';
import type { Clock } from '@azimuth/common';
import { seededRandom, silentLogger, systemClock } from '@azimuth/common';
import type { BucketRecord } from '@azimuth/proto';
import { Registry } from 'prom-client';

import { Authenticator } from '../../src/auth/authenticate';
import { accountDirectory } from '../../src/auth/accounts';
import { clusterRootPrincipal, singleCredentialStore } from '../../src/auth/credentials';
import { PolicyAuthorizer } from '../../src/auth/policy/policy-authorizer';
import type { MinimumProgress } from '../../src/http/incoming-body';
import { DEFAULT_MINIMUM_PROGRESS } from '../../src/http/incoming-body';
import { Pipeline } from '../../src/http/pipeline';
import { RequestIds } from '../../src/http/request-id';
import { RequestMetrics } from '../../src/http/request-metrics';
import { SlowReaders } from '../../src/http/slow-readers';
import { QueryApi } from '../../src/query/query-api';
import type { Operation, OperationContext } from '../../src/s3/operation';
import { S3Error } from '../../src/s3/s3-error';
import type { GatewayServer } from '../../src/server';
import { startGatewayServer } from '../../src/server';

export const ACCESS_KEY = 'TESTACCESSKEY0001';
export const SECRET_KEY = 'a secret that only tests know';
export const REGION = 'eu-test-1';

/** The least store that has the shape of the real one: objects in a map, visible after the body. */
export class MemoryObjects {
  readonly objects = new Map<string, Buffer>();

  readonly operations: readonly Operation[] = [
    operation('PutObject', 'stream', async (request) => {
      const chunks: Buffer[] = [];
      await request.body.source.readInto((chunk) => {
        chunks.push(Buffer.from(chunk));
        return undefined;
      });
      this.objects.set(`${request.bucket ?? ''}/${request.key ?? ''}`, Buffer.concat(chunks));
      return { status: 200, headers: { etag: '"0"' } };
    }),
    operation('GetObject', 'none', (request) => this.#read(request.bucket, request.key)),
    operation('HeadObject', 'none', (request) => this.#read(request.bucket, request.key)),
    operation('DeleteObject', 'none', (request) => {
      this.objects.delete(`${request.bucket ?? ''}/${request.key ?? ''}`);
      return { status: 204 };
    }),
    operation('ListBuckets', 'none', () => ({
      status: 200,
      body: { kind: 'xml', document: '<ListAllMyBucketsResult/>' },
    })),
    operation('CreateBucket', 'document', async (request) => {
      await request.body.source.readInto(() => undefined);
      return { status: 200, headers: { location: `/${request.bucket ?? ''}` } };
    }),
  ];

  #read(bucket: string | null, key: string | null): ReturnType<Operation['handle']> {
    const bytes = this.objects.get(`${bucket ?? ''}/${key ?? ''}`);
    if (bytes === undefined) throw new S3Error('NoSuchKey', { Key: key ?? '' });
    return Promise.resolve({
      status: 200,
      headers: { 'content-type': 'application/octet-stream' },
      body: {
        kind: 'bytes',
        sizeBytes: bytes.length,
        write: async (sink) => {
          for (let at = 0; at < bytes.length; at += 65_536) {
            await sink(bytes.subarray(at, at + 65_536));
          }
        },
      },
    });
  }
}

export function operation(
  name: string,
  body: Operation['body'],
  handle: (
    ...args: Parameters<Operation['handle']>
  ) => Awaited<ReturnType<Operation['handle']>> | ReturnType<Operation['handle']>,
): Operation {
  return {
    name,
    body,
    handle: async (...args) => handle(...args),
  };
}

export interface TestGateway {
  readonly port: number;
  readonly host: string;
  readonly url: string;
  readonly store: MemoryObjects;
  readonly registry: Registry;
  readonly server: GatewayServer;
  readonly pipeline: Pipeline;
  close(): Promise<void>;
}

export interface TestGatewayOptions {
  readonly clock?: Clock;
  readonly operations?: readonly Operation[];
  readonly requestsInFlightMax?: number;
  readonly minimumProgress?: MinimumProgress;
  readonly slowReaders?: SlowReaders;
  readonly headersTimeoutMs?: number;
  readonly connectionsPerAddressMax?: number;
  readonly drainMs?: number;
  /** How old the view of the cluster is; 0 unless given. */
  readonly viewAgeMs?: () => number;
  /** For how long a leader of the metadata has been silent; 0 unless given. */
  readonly leaderSilentMs?: () => number;
}

export async function startTestGateway(options: TestGatewayOptions = {}): Promise<TestGateway> {
  const store = new MemoryObjects();
  const registry = new Registry();
  const clock = options.clock ?? systemClock;
  const requestIds = new RequestIds(seededRandom(1));
  const credential = {
    accessKeyId: ACCESS_KEY,
    secretKey: SECRET_KEY,
    principal: clusterRootPrincipal('test'),
  };
  const view = viewOfEveryBucket(credential.principal.canonicalId, options.viewAgeMs);
  const authenticator = new Authenticator(singleCredentialStore(credential), REGION);
  const pipeline = new Pipeline({
    operations: new Map(
      [...store.operations, ...(options.operations ?? [])].map((each) => [each.name, each]),
    ),
    // The operations above use nothing of it.
    context: { region: REGION, view } as OperationContext,
    leaders: { silentMs: options.leaderSilentMs ?? (() => 0) },
    authenticator,
    queryApi: new QueryApi({ authenticator, services: [], logger: silentLogger }),
    authorizer: new PolicyAuthorizer({
      view,
      accounts: accountDirectory(view, credential.principal),
      region: REGION,
    }),
    trustedProxies: [],
    domains: ['localhost', 's3.example.test'],
    hostId: 'test-host',
    requestIds,
    requestsInFlightMax: options.requestsInFlightMax ?? 64,
    tellsLogPositions: false,
    slowReaders: options.slowReaders ?? new SlowReaders(clock),
    minimumProgress: options.minimumProgress ?? DEFAULT_MINIMUM_PROGRESS,
    clock,
    logger: silentLogger,
    metrics: new RequestMetrics(registry),
  });
  const server = await startGatewayServer(pipeline, {
    host: '127.0.0.1',
    port: 0,
    connectionsMax: 100,
    connectionsPerAddressMax: options.connectionsPerAddressMax ?? 100,
    headersTimeoutMs: options.headersTimeoutMs ?? 10_000,
    keepAliveTimeoutMs: 60_000,
    drainMs: options.drainMs ?? 100,
    hostId: 'test-host',
    requestIds,
    clock: systemClock,
    logger: silentLogger,
  });
  const host = `127.0.0.1:${server.port}`;
  const url = `http://${host}`;
  return {
    port: server.port,
    host,
    url,
    store,
    registry,
    server,
    pipeline,
    close: () => server.close(),
  };
}

/** Every bucket exists and belongs to the one account. */
function viewOfEveryBucket(owner: string, ageMs = (): number => 0): ClusterView {
  const identities = IdentityTable.of(0, []);
  const bucket = (name: string): Promise<BucketRecord> =>
    Promise.resolve({
      name,
      bucketId: '0'.repeat(32),
      createdMs: 0,
      owner,
      versioning: 'unversioned',
      configurations: { ownership: '"BucketOwnerEnforced"' },
      deletingSinceMs: null,
      deletionMark: 0,
    });
  return { bucket, identities: () => identities, ageMs } as unknown as ClusterView;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** `<Code>` of an error document. */
  readonly code: string | null;
}

export function send(
  gateway: Pick<TestGateway, 'port'>,
  request: {
    readonly method: string;
    readonly target: string;
    readonly headers: Readonly<Record<string, string>>;
    readonly body?: Uint8Array;
  },
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { method, target, headers, body } = request;
    const outgoing = httpRequest(
      {
        host: '127.0.0.1',
        port: gateway.port,
        method,
        path: target,
        headers:
          body === undefined || 'transfer-encoding' in headers
            ? headers
            : { ...headers, 'content-length': String(body.length) },
        agent: false,
      },
      (incoming) => {
        const chunks: Buffer[] = [];
        incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
        incoming.on('error', reject);
        incoming.on('end', () => {
          const bytes = Buffer.concat(chunks);
          resolve({
            status: incoming.statusCode ?? 0,
            headers: incoming.headers,
            body: bytes,
            code: codeOf(bytes.toString()),
          });
        });
      },
    );
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

export function codeOf(document: string): string | null {
  return /<Code>(\w+)<\/Code>/.exec(document)?.[1] ?? null;
}

/** Sends bytes as they are and returns everything that comes back until the server closes. */
export function sendRaw(gateway: TestGateway, bytes: string | Uint8Array): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(gateway.port, '127.0.0.1');
    let received = '';
    socket.on('data', (chunk: Buffer) => (received += chunk.toString('latin1')));
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNRESET') resolve(received);
      else reject(error);
    });
    socket.on('close', () => resolve(received));
    socket.write(bytes);
  });
}
