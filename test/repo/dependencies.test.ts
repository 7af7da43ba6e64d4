/**
 * Every external dependency of every package, spelled out with its reason in
 * docs/decisions/0003-dependencies.md. A new one is a decision, so it fails here first.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const ROOT = resolve(__dirname, '../..');

interface Manifest {
  readonly dependencies?: Readonly<Record<string, string>>;
}

function externalDependencies(name: string): string[] {
  const path = join(ROOT, 'packages', name, 'package.json');
  const manifest = JSON.parse(readFileSync(path, 'utf8')) as Manifest;
  return Object.keys(manifest.dependencies ?? {})
    .filter((dependency) => !dependency.startsWith('@azimuth/'))
    .sort();
}

const EXPECTED: Readonly<Record<string, readonly string[]>> = {
  cli: ['commander', 'zod'],
  clients: ['@node-rs/crc32'],
  common: ['pino', 'prom-client', 'zod'],
  curator: ['prom-client', 'zod'],
  erasure: [],
  gateway: [
    '@aws-sdk/crc64-nvme',
    '@node-rs/crc32',
    'fast-xml-parser',
    'hash-wasm',
    'prom-client',
    'zod',
  ],
  'metadata-raft': [
    '@grpc/grpc-js',
    '@node-rs/crc32',
    'abstract-level',
    'level',
    'prom-client',
    'zod',
  ],
  placement: [],
  proto: ['@grpc/grpc-js', '@grpc/proto-loader', 'msgpackr'],
  rpc: ['@grpc/grpc-js', '@peculiar/x509', 'reflect-metadata'],
  'storage-node': [
    '@grpc/grpc-js',
    '@node-rs/crc32',
    'abstract-level',
    'level',
    'prom-client',
    'zod',
  ],
  testkit: ['memory-level'],
};

describe('dependencies', () => {
  it.each(readdirSync(join(ROOT, 'packages')))('%s has only the agreed ones', (name) => {
    expect(externalDependencies(name)).toEqual(EXPECTED[name]);
  });

  it('pins every version exactly', () => {
    const loose = ['.', ...readdirSync(join(ROOT, 'packages')).map((name) => `packages/${name}`)]
      .map((folder) => readFileSync(join(ROOT, folder, 'package.json'), 'utf8'))
      .flatMap((text) => [...text.matchAll(/"([^"]+)": "[\^~]/g)].map((match) => match[1]));
    expect(loose).toEqual([]);
  });
});
