import { IAMClient } from '@aws-sdk/client-iam';
import { S3Client } from '@aws-sdk/client-s3';
import { STSClient } from '@aws-sdk/client-sts';
import type { Logger } from '@azimuth/common';
import { parseConfig, seededRandom, systemClock } from '@azimuth/common';
import { MemoryMetadataClient } from '@azimuth/testkit';
import { Registry } from 'prom-client';

import { gatewayConfigSchema } from '../../src/gateway-config';
import type { GatewayService } from '../../src/gateway-service';
import { startGateway } from '../../src/gateway-service';
import { SlowReaders } from '../../src/http/slow-readers';
import { MemoryDataPath } from '../s3/memory-data-path';

export const CLUSTER_ID = 'c'.repeat(32);
export const CLUSTER_REGION = 'eu-test-1';
export const ROOT: Keys = {
  accessKeyId: 'ROOTACCESSKEY0001',
  secretAccessKey: 'canary root secret 7b1f9c',
};

export interface Keys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/** Everything that a gateway says to its log. */
export class LogLines implements Logger {
  readonly lines: string[] = [];
  readonly debug = this.#add.bind(this);
  readonly info = this.#add.bind(this);
  readonly warn = this.#add.bind(this);
  readonly error = this.#add.bind(this);

  child(): Logger {
    return this;
  }

  #add(fields: Readonly<Record<string, unknown>>, message: string): void {
    this.lines.push(`${message} ${JSON.stringify(fields, errorsToo)}`);
  }
}

function errorsToo(_name: string, value: unknown): unknown {
  return value instanceof Error
    ? { ...Object.fromEntries(Object.entries(value)), stack: value.stack, cause: value.cause }
    : value;
}

/** A whole gateway over the reference model of the metadata service. */
export class ClusterGateway {
  readonly service: GatewayService;
  readonly metadata: MemoryMetadataClient;
  readonly log: LogLines;
  readonly #clients: { destroy(): void }[] = [];

  private constructor(service: GatewayService, metadata: MemoryMetadataClient, log: LogLines) {
    this.service = service;
    this.metadata = metadata;
    this.log = log;
  }

  static async start(change: Readonly<Record<string, unknown>> = {}): Promise<ClusterGateway> {
    const clock = systemClock;
    const random = seededRandom(20_261_122);
    const profile = { k: 1, m: 0 };
    const settings = {
      clusterId: CLUSTER_ID,
      region: CLUSTER_REGION,
      zones: ['a'],
      erasureProfile: profile,
      replicaProfile: profile,
      inlineBytesMax: 8192,
      replicaBytesMax: 131_072,
      blockBytes: 65_536,
      indexGroups: 1,
    };
    const metadata = await MemoryMetadataClient.create({ settings, clock, random });
    const log = new LogLines();
    const config = parseConfig(gatewayConfigSchema, {
      flags: {
        clusterId: CLUSTER_ID,
        nodeId: 'gateway-a',
        zone: 'a',
        tlsDirectory: '/nowhere',
        metadataPeers: [{ nodeId: 'm', zone: 'a', host: '127.0.0.1', port: 1 }],
        region: CLUSTER_REGION,
        accessKey: ROOT.accessKeyId,
        secretKey: ROOT.secretAccessKey,
        drainMs: 10,
        ...change,
      },
    });
    const service = await startGateway(config, {
      metadata,
      view: metadata.view,
      leaders: { silentMs: () => 0, close: () => undefined },
      dataPath: new MemoryDataPath(random, () => clock.wallMs()),
      slowReaders: new SlowReaders(clock),
      clock,
      random,
      logger: log,
      registry: new Registry(),
    });
    return new ClusterGateway(service, metadata, log);
  }

  get url(): string {
    return `http://127.0.0.1:${this.service.httpPort}`;
  }

  s3(credentials: Keys = ROOT): S3Client {
    return this.#keep(new S3Client({ ...this.#settings(credentials), forcePathStyle: true }));
  }

  iam(credentials: Keys = ROOT): IAMClient {
    return this.#keep(new IAMClient(this.#settings(credentials)));
  }

  sts(credentials: Keys = ROOT): STSClient {
    return this.#keep(new STSClient(this.#settings(credentials)));
  }

  async close(): Promise<void> {
    for (const client of this.#clients) client.destroy();
    await this.service.close();
  }

  #settings(credentials: Keys): {
    readonly region: string;
    readonly endpoint: string;
    readonly credentials: Keys;
    readonly maxAttempts: number;
  } {
    return { region: CLUSTER_REGION, endpoint: this.url, credentials, maxAttempts: 1 };
  }

  #keep<Client extends { destroy(): void }>(client: Client): Client {
    this.#clients.push(client);
    return client;
  }
}

/** The code of what a call is refused with. */
export async function refusalOf(call: Promise<unknown>): Promise<string> {
  return call.then(
    () => 'it was allowed',
    (error: unknown) => (error instanceof Error ? error.name : String(error)),
  );
}

export function allow(action: string | readonly string[], resource = '*'): string {
  return JSON.stringify({
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Action: action, Resource: resource }],
  });
}

export function trust(principal: unknown, action = 'sts:AssumeRole', more = {}): string {
  return JSON.stringify({
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Principal: principal, Action: action, ...more }],
  });
}
