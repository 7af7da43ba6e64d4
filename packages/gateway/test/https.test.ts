import { X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TLSSocket } from 'node:tls';

import { systemClock } from '@azimuth/common';
import { createAuthority, issueServerCertificate } from '@azimuth/rpc';
import type { AuthorityMaterial } from '@azimuth/rpc';

import { formatTimestamp } from '../src/auth/sigv4';
import { CLUSTER_REGION, ClusterGateway, ROOT } from './support/cluster-gateway';
import { sha256, signHeaders } from './support/sigv4-signer';

let directory = '';
let authority: AuthorityMaterial;
let gateway: ClusterGateway | null = null;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'azimuth-https-'));
  authority = await createAuthority('c'.repeat(32), systemClock);
});

afterEach(async () => {
  await gateway?.close();
  gateway = null;
});

afterAll(() => rmSync(directory, { recursive: true }));

const files = (): { httpsCertificate: string; httpsKey: string } => ({
  httpsCertificate: join(directory, 'certificate.pem'),
  httpsKey: join(directory, 'key.pem'),
});

async function issue(): Promise<void> {
  const names = { dnsNames: ['localhost'], addresses: ['127.0.0.1'] };
  const { certPem, keyPem } = await issueServerCertificate(authority, names, systemClock);
  writeFileSync(files().httpsCertificate, certPem);
  writeFileSync(files().httpsKey, keyPem);
}

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly fingerprint: string;
  readonly protocol: string | null;
}

function listBuckets(port: number, host = '127.0.0.1'): Promise<Answer> {
  const headers = signHeaders(
    {
      method: 'GET',
      target: '/',
      headers: { host: `${host}:${port}` },
      payloadHash: sha256(''),
    },
    {
      accessKeyId: ROOT.accessKeyId,
      secretKey: ROOT.secretAccessKey,
      region: CLUSTER_REGION,
      timestamp: formatTimestamp(Date.now()),
    },
  );
  return new Promise((resolve, reject) => {
    request({ host, port, path: '/', headers, ca: authority.certPem, agent: false }, (incoming) => {
      const { socket } = incoming;
      if (!(socket instanceof TLSSocket)) throw new Error('no TLS');
      const fingerprint = socket.getPeerCertificate().fingerprint256;
      let text = '';
      incoming.on('data', (chunk: Buffer) => (text += chunk.toString()));
      incoming.on('end', () =>
        resolve({
          status: incoming.statusCode ?? 0,
          text,
          fingerprint,
          protocol: socket.getProtocol(),
        }),
      );
    })
      .on('error', reject)
      .end();
  });
}

describe('HTTPS', () => {
  it('serves the same as HTTP, under a name and an address', async () => {
    await issue();
    gateway = await ClusterGateway.start({ httpsPort: 0, ...files() });
    const { httpsPort } = gateway.service;

    const answer = await listBuckets(httpsPort ?? 0);
    const byName = await listBuckets(httpsPort ?? 0, 'localhost');

    expect([answer.status, byName.status, answer.protocol]).toEqual([200, 200, 'TLSv1.3']);
    expect(answer.text).toContain('<ListAllMyBucketsResult');
  });

  it('takes a renewed certificate on reload, and keeps the old one when the new is bad', async () => {
    await issue();
    gateway = await ClusterGateway.start({ httpsPort: 0, ...files() });
    const port = gateway.service.httpsPort ?? 0;
    const first = await listBuckets(port);
    writeFileSync(files().httpsCertificate, 'not a certificate');
    gateway.service.reload();
    const second = await listBuckets(port);
    await issue();
    gateway.service.reload();
    const third = await listBuckets(port);

    expect(second.fingerprint).toBe(first.fingerprint);
    expect(third.fingerprint).not.toBe(first.fingerprint);
    expect(gateway.log.lines.join('\n')).toContain('certificate refused');
    expect(gateway.log.lines.join('\n')).not.toContain('PRIVATE KEY');
  });

  it('has a certificate that is the identity of no node', async () => {
    const names = { dnsNames: ['localhost'], addresses: [] };
    const { certPem } = await issueServerCertificate(authority, names, systemClock);

    const certificate = new X509Certificate(certPem);
    expect(certificate.subjectAltName).toBe('DNS:localhost');
    // serverAuth alone: it cannot be the client of anybody.
    expect(certificate.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1']);
  });

  it.each<[string, Readonly<Record<string, unknown>>]>([
    ['no certificate', {}],
    ['files that are not there', { httpsCertificate: '/nowhere', httpsKey: '/nowhere' }],
  ])('does not start with %s', async (_name, settings) => {
    await expect(ClusterGateway.start({ httpsPort: 0, ...settings })).rejects.toThrow(
      'INVALID_ARGUMENT',
    );
  });
});
