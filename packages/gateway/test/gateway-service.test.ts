import { request } from 'node:http';

import { IdentityTable } from '@azimuth/clients';
import type { ClusterView, MetadataClient } from '@azimuth/clients';
import type { Logger } from '@azimuth/common';
import { parseConfig, seededRandom, systemClock } from '@azimuth/common';
import { Registry } from 'prom-client';

import type { DataPath } from '../src/data-path/data-path';
import { gatewayConfigSchema } from '../src/gateway-config';
import type { GatewayConfig } from '../src/gateway-config';
import type { GatewayParts, GatewayService } from '../src/gateway-service';
import { startGateway } from '../src/gateway-service';
import { SlowReaders } from '../src/http/slow-readers';

const SECRET = 'canary-secret-9f3a7c';

function configOf(change: Readonly<Record<string, unknown>> = {}): GatewayConfig {
  return parseConfig(gatewayConfigSchema, {
    flags: {
      clusterId: '0'.repeat(32),
      nodeId: 'gateway-a',
      zone: 'a',
      tlsDirectory: '/nowhere',
      metadataPeers: [{ nodeId: 'm', zone: 'a', host: '127.0.0.1', port: 1 }],
      accessKey: 'ACCESSKEY01',
      secretKey: SECRET,
      drainMs: 10,
      ...change,
    },
  });
}

/** Collects what would be logged. */
class LogLines implements Logger {
  readonly lines: string[] = [];
  readonly debug = this.#add.bind(this);
  readonly info = this.#add.bind(this);
  readonly warn = this.#add.bind(this);
  readonly error = this.#add.bind(this);

  child(): Logger {
    return this;
  }

  #add(fields: Readonly<Record<string, unknown>>, message: string): void {
    this.lines.push(`${message} ${JSON.stringify(fields)}`);
  }
}

interface Fixture {
  readonly gateway: GatewayService;
  readonly logger: LogLines;
  readonly view: { ageOfViewMs: number };
  readonly leaders: { silentMs: number };
}

async function start(config = configOf()): Promise<Fixture> {
  const logger = new LogLines();
  const view = { ageOfViewMs: 0 };
  const leaders = { silentMs: 0 };
  const parts: GatewayParts = {
    // Requests of these tests end before either of them is needed.
    metadata: {} as MetadataClient,
    dataPath: {} as DataPath,
    slowReaders: new SlowReaders(systemClock),
    view: {
      ageMs: () => view.ageOfViewMs,
      identities: () => IdentityTable.of(0, []),
      bucket: () => Promise.resolve(null),
    } as unknown as ClusterView,
    leaders: { silentMs: () => leaders.silentMs, close: () => undefined },
    clock: systemClock,
    random: seededRandom(1),
    logger,
    registry: new Registry(),
  };
  return { gateway: await startGateway(config, parts), logger, view, leaders };
}

function get(port: number, path: string): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    request({ host: '127.0.0.1', port, path, agent: false }, (response) => {
      let text = JSON.stringify(response.headers);
      response.on('data', (chunk: Buffer) => (text += chunk.toString()));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
    })
      .on('error', reject)
      .end();
  });
}

describe('the gateway as a process', () => {
  it('is ready while its view of the cluster is fresh', async () => {
    const { gateway, view } = await start();
    const statuses = async (): Promise<number[]> => {
      const answers = [
        await get(gateway.adminPort, '/livez'),
        await get(gateway.adminPort, '/readyz'),
      ];
      return answers.map(({ status }) => status);
    };
    const fresh = await statuses();
    view.ageOfViewMs = 5_001;
    const stale = await statuses();
    view.ageOfViewMs = 0;
    const again = await statuses();
    await gateway.close();

    expect([fresh, stale, again]).toEqual([
      [200, 200],
      [200, 503],
      [200, 200],
    ]);
  });

  it('is ready only while every leader that others reach answers (P3)', async () => {
    const { gateway, leaders } = await start();
    const statusAfter = async (silentMs: number): Promise<number> => {
      leaders.silentMs = silentMs;
      return (await get(gateway.adminPort, '/readyz')).status;
    };
    const statuses = [await statusAfter(2_900), await statusAfter(3_100), await statusAfter(900)];
    await gateway.close();

    expect(statuses).toEqual([200, 503, 200]);
  });

  it('shows its secret nowhere (table rows 18 and 41)', async () => {
    const { gateway, logger } = await start();
    let seen = '';
    for (const path of ['/', '/bucket', '/bucket/key?acl', '/?X-Amz-Signature=00', '/%zz']) {
      seen += (await get(gateway.httpPort, path)).text;
    }
    for (const path of ['/metrics', '/livez', '/readyz', '/env', '/']) {
      seen += (await get(gateway.adminPort, path)).text;
    }
    await gateway.close();

    expect(seen).toContain('azimuth_s3_requests_total');
    expect(logger.lines.length).toBeGreaterThan(0);
    expect(seen + logger.lines.join('\n')).not.toContain(SECRET);
  });

  it('does not start with weak credentials', async () => {
    await expect(start(configOf({ secretKey: 'minioadmin' }))).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    });
  });

  it('closes twice, and reads domains from the environment', async () => {
    expect(configOf({ domains: 's3.a.test,s3.b.test' }).domains).toEqual([
      's3.a.test',
      's3.b.test',
    ]);
    const { gateway } = await start();

    await gateway.close();
    await gateway.close();
  });
});
