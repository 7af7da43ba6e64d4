import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { systemClock } from '@azimuth/common';
import { createAuthority, issueCertificate } from '@azimuth/rpc';

import { runGateway } from '../src/main';
import { sha256, signHeaders } from './support/sigv4-signer';

const CLUSTER = 'c'.repeat(32);
const SECRET = 'canary-secret-51b2ef';

let directory = '';

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'azimuth-gateway-'));
  const authority = await createAuthority(CLUSTER, systemClock);
  const identity = { clusterId: CLUSTER, role: 'gateway', nodeId: 'gateway-a', zone: 'a' } as const;
  const tls = await issueCertificate(
    authority,
    { identity, addresses: ['127.0.0.1'] },
    systemClock,
  );
  writeFileSync(join(directory, 'ca.pem'), tls.caPem);
  writeFileSync(join(directory, 'node.pem'), tls.certPem);
  writeFileSync(join(directory, 'node-key.pem'), tls.keyPem);
});

afterAll(() => {
  rmSync(directory, { recursive: true });
});

function configFile(change: Readonly<Record<string, unknown>> = {}): string {
  const file = join(directory, 'config.json');
  const config = {
    clusterId: CLUSTER,
    nodeId: 'gateway-a',
    zone: 'a',
    tlsDirectory: directory,
    // Nothing listens there.
    metadataPeers: [{ nodeId: 'metadata-a', zone: 'a', host: '127.0.0.1', port: 1 }],
    accessKey: 'ACCESSKEY01',
    secretKey: SECRET,
    logLevel: 'silent',
    bodyMemoryBytes: 16 * 1024 * 1024,
    ...change,
  };
  writeFileSync(file, JSON.stringify(config));
  return file;
}

function send(
  port: number,
  path: string,
  options: { readonly method?: string; readonly headers?: Readonly<Record<string, string>> } = {},
): Promise<{ status: number; text: string; retryAfter: string | undefined }> {
  return new Promise((resolve, reject) => {
    request({ host: '127.0.0.1', port, path, ...options, agent: false }, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => (text += chunk.toString()));
      response.on('end', () => {
        const retryAfter = response.headers['retry-after'];
        resolve({ status: response.statusCode ?? 0, text, retryAfter });
      });
    })
      .on('error', reject)
      .end();
  });
}

describe('the gateway process', () => {
  it('starts without a cluster, is not ready, refuses writes with 503 and closes', async () => {
    const gateway = await runGateway({ file: configFile() });
    const ready = await send(gateway.adminPort, '/readyz');
    const live = await send(gateway.adminPort, '/livez');
    const metrics = await send(gateway.adminPort, '/metrics');
    const path = '/bucket/key';
    const signed = signHeaders(
      {
        method: 'PUT',
        target: path,
        headers: { host: `127.0.0.1:${gateway.httpPort}`, 'content-length': '0' },
        payloadHash: sha256(''),
      },
      {
        accessKeyId: 'ACCESSKEY01',
        secretKey: SECRET,
        region: 'us-east-1',
        timestamp: new Date().toISOString().replaceAll(/[-:]|\.\d+/g, ''),
      },
    );
    const answer = await send(gateway.httpPort, path, { method: 'PUT', headers: signed });
    await gateway.close();
    await gateway.close();

    expect([ready.status, live.status]).toEqual([503, 200]);
    expect(metrics.text).toContain('azimuth_gateway_body_memory_bytes{direction="write"} 0');
    expect(metrics.text).toContain('process_cpu_seconds_total');
    expect([answer.status, answer.retryAfter]).toEqual([503, '1']);
    expect(answer.text).toContain('<Code>SlowDown</Code>');
  }, 30_000);

  it.each([
    ['a weak secret', { secretKey: 'minioadmin' }],
    ['no secret', { secretKey: undefined }],
    ['a port of letters', { httpPort: 'http' }],
    ['no identity', { tlsDirectory: '/nonexistent' }],
  ])('does not start with %s', async (_name, change) => {
    await expect(runGateway({ file: configFile(change) })).rejects.toThrow();
  });
});
