import { once } from 'node:events';
import { connect } from 'node:http2';
import type { ClientHttp2Session } from 'node:http2';

import { silentLogger } from '@azimuth/common';
import { storageService } from '@azimuth/proto';

import { startRpcServer, unaryHandler } from '../src';
import type { RpcServer, TlsMaterial } from '../src';
import { RECEIVE_WINDOW_BYTES } from '../src/receive-window';
import { CLUSTER_ID, makeAuthority, makeTls } from './fixtures';

const EMPTY_MESSAGE = Buffer.alloc(5);
const HTTP2_WINDOW_BYTES = 65_535;

describe('what may be sent to a server before it is read', () => {
  let server: RpcServer;
  let tls: TlsMaterial;
  let session: ClientHttp2Session;

  beforeAll(async () => {
    const authority = await makeAuthority();
    tls = await makeTls(authority, 'gateway');
    const serverTls = await makeTls(authority, 'storage');
    const methods = Object.keys(storageService);
    const handler = unaryHandler(() => Promise.resolve({ isServing: true, incarnation: 'x' }));
    server = await startRpcServer(
      { tls: serverTls, clusterId: CLUSTER_ID, host: '127.0.0.1', port: 0, logger: silentLogger },
      [
        {
          service: storageService,
          implementation: Object.fromEntries(methods.map((name) => [name, handler])),
          allow: Object.fromEntries(
            methods.map((name) => [name, name === 'GetHealth' ? (['gateway'] as const) : []]),
          ),
        },
      ],
    );
  });

  beforeEach(() => {
    session = connect(`https://127.0.0.1:${server.port}`, {
      ca: tls.caPem,
      cert: tls.certPem,
      key: tls.keyPem,
      checkServerIdentity: () => undefined,
    });
  });

  afterEach(() => session.destroy());

  afterAll(() => server.close());

  async function call(path: string): Promise<void> {
    const stream = session.request({
      ':method': 'POST',
      ':path': path,
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    stream.end(EMPTY_MESSAGE);
    stream.resume();
    await once(stream, 'end');
  }

  it('is 4 MiB a stream and a connection, once a call was let in', async () => {
    await call(storageService.GetHealth.path);
    expect(session.remoteSettings.initialWindowSize).toBe(RECEIVE_WINDOW_BYTES);
    expect(session.state.remoteWindowSize).toBeGreaterThanOrEqual(
      RECEIVE_WINDOW_BYTES - EMPTY_MESSAGE.length,
    );
  });

  it('is what HTTP/2 gives everybody for a connection that may call nothing', async () => {
    await call(storageService.ListShards.path);
    expect(session.state.remoteWindowSize).toBeLessThanOrEqual(HTTP2_WINDOW_BYTES);
  });
});
