/**
 * Acceptance by the real clients that Debian packages: AWS CLI, rclone, s3cmd. Starts a cluster of
 * its own (or uses `--endpoint`), stores a directory of files from 1 B to 300 MB with each client,
 * reads it back and compares every byte. A client that is not installed is named and skipped.
 *
 * Usage: npm run test:clients [-- --endpoint URL --access-key KEY --secret-key KEY] [--small]
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';

import { startDevCluster } from '@azimuth/testkit';

const { values } = parseArgs({
  options: {
    endpoint: { type: 'string' },
    'access-key': { type: 'string' },
    'secret-key': { type: 'string' },
    small: { type: 'boolean', default: false },
  },
});

interface Target {
  readonly endpoint: string;
  readonly accessKey: string;
  readonly secretKey: string;
}

const MIB = 1024 * 1024;
const FILES: readonly (readonly [string, number])[] = [
  ['one-byte', 1],
  ['empty', 0],
  ['inline edge', 8_192],
  ['nested/replica edge.bin', 131_072],
  ['nested/deeper/stripe.bin', MIB + 1],
  ['nested/plus+percent%41.txt', 5_000],
  ['ünïcode/😀.txt', 20_000],
  ['multipart-20M', 20 * MIB],
  ...(values.small ? [] : ([['multipart-300M', 300 * MIB]] as const)),
];

function writeFiles(directory: string): void {
  for (const [name, sizeBytes] of FILES) {
    const path = join(directory, name);
    mkdirSync(dirname(path), { recursive: true });
    const file = openSync(path, 'w');
    for (let left = sizeBytes; left > 0; left -= MIB) {
      writeSync(file, randomBytes(Math.min(left, MIB)));
    }
    closeSync(file);
  }
}

/** Debian's packages before any other copies: those have other versions on every machine. */
const PATH = `/usr/bin:/bin:${process.env['PATH'] ?? ''}`;

/** A clean environment: what the caller has set for AWS must not leak into the clients. */
function run(command: string, args: readonly string[], env: NodeJS.ProcessEnv): string {
  const { HOME, LANG } = process.env;
  return execFileSync(command, args, {
    env: { PATH, HOME, LANG: LANG ?? 'C.UTF-8', ...env },
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    maxBuffer: 64 * MIB,
  });
}

function assertEqualTrees(left: string, right: string): void {
  const result = spawnSync('diff', ['-r', left, right], { encoding: 'utf8' });
  if (result.status !== 0) throw new Error(`trees differ:\n${result.stdout}${result.stderr}`);
}

type Scenario = (target: Target, source: string, scratch: string) => void;

const awsCli: Scenario = (target, source, scratch) => {
  const env = {
    AWS_ACCESS_KEY_ID: target.accessKey,
    AWS_SECRET_ACCESS_KEY: target.secretKey,
    AWS_DEFAULT_REGION: 'us-east-1',
    AWS_CONFIG_FILE: '/dev/null',
  };
  const aws = (...args: string[]): string =>
    run('aws', ['--endpoint-url', target.endpoint, ...args], env);
  aws('s3', 'mb', 's3://cli-bucket');
  aws('s3', 'cp', '--recursive', '--quiet', source, 's3://cli-bucket/copy/');
  const listed = aws('s3', 'ls', '--recursive', 's3://cli-bucket/copy/').trim().split('\n');
  if (listed.length !== FILES.length) throw new Error(`listed ${listed.length} files`);
  const back = join(scratch, 'aws');
  aws('s3', 'sync', '--quiet', 's3://cli-bucket/copy/', back);
  assertEqualTrees(source, back);
  aws('s3', 'cp', '--quiet', 's3://cli-bucket/copy/multipart-20M', 's3://cli-bucket/server-side');
  aws('s3', 'cp', '--quiet', 's3://cli-bucket/server-side', join(scratch, 'server-side'));
  assertEqualTrees(join(source, 'multipart-20M'), join(scratch, 'server-side'));
  if (aws('s3', 'sync', source, 's3://cli-bucket/copy/').trim() !== '') {
    throw new Error('a second sync found something to do');
  }
  aws('s3', 'rb', '--force', 's3://cli-bucket');
};

const rclone: Scenario = (target, source, scratch) => {
  const env = {
    RCLONE_CONFIG: '/dev/null',
    RCLONE_CONFIG_AZ_TYPE: 's3',
    RCLONE_CONFIG_AZ_PROVIDER: 'Other',
    RCLONE_CONFIG_AZ_ENDPOINT: target.endpoint,
    RCLONE_CONFIG_AZ_ACCESS_KEY_ID: target.accessKey,
    RCLONE_CONFIG_AZ_SECRET_ACCESS_KEY: target.secretKey,
    RCLONE_CONFIG_AZ_REGION: 'us-east-1',
  };
  run('rclone', ['mkdir', 'az:rclone-bucket'], env);
  run('rclone', ['copy', source, 'az:rclone-bucket/tree'], env);
  run('rclone', ['check', '--download', source, 'az:rclone-bucket/tree'], env);
  const back = join(scratch, 'rclone');
  run('rclone', ['sync', 'az:rclone-bucket/tree', back], env);
  assertEqualTrees(source, back);
  run('rclone', ['purge', 'az:rclone-bucket'], env);
};

const s3cmd: Scenario = (target, source, scratch) => {
  const host = target.endpoint.replace(/^https?:\/\//, '');
  const config = join(scratch, 's3cfg');
  writeFileSync(
    config,
    [
      '[default]',
      `access_key = ${target.accessKey}`,
      `secret_key = ${target.secretKey}`,
      `host_base = ${host}`,
      `host_bucket = ${host}`,
      'use_https = False',
      'bucket_location = us-east-1',
    ].join('\n'),
    { mode: 0o600 },
  );
  const call = (...args: string[]): string => run('s3cmd', ['-c', config, '-q', ...args], {});
  call('mb', 's3://s3cmd-bucket');
  call('sync', `${source}/`, 's3://s3cmd-bucket/tree/');
  const back = join(scratch, 's3cmd');
  mkdirSync(back);
  call('sync', 's3://s3cmd-bucket/tree/', `${back}/`);
  assertEqualTrees(source, back);
  call('del', '--recursive', '--force', 's3://s3cmd-bucket/');
  call('rb', 's3://s3cmd-bucket');
};

const SCENARIOS: readonly (readonly [string, Scenario])[] = [
  ['aws', awsCli],
  ['rclone', rclone],
  ['s3cmd', s3cmd],
];

function isInstalled(command: string): boolean {
  return spawnSync('which', [command], { env: { PATH } }).status === 0;
}

function runScenarios(target: Target): number {
  const scratch = mkdtempSync(join(tmpdir(), 'azimuth-clients-'));
  let failed = 0;
  try {
    const source = join(scratch, 'source');
    writeFiles(source);
    for (const [name, scenario] of SCENARIOS) {
      if (!isInstalled(name)) {
        process.stdout.write(`SKIP ${name}: not installed (apt-get install awscli rclone s3cmd)\n`);
        continue;
      }
      const startedMs = performance.now();
      try {
        scenario(target, source, scratch);
        const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
        process.stdout.write(`PASS ${name} (${seconds} s)\n`);
      } catch (error) {
        failed += 1;
        const stderr = (error as { stderr?: string }).stderr ?? '';
        process.stdout.write(`FAIL ${name}: ${String(error)}\n${stderr}\n`);
      }
    }
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  return failed;
}

async function main(): Promise<void> {
  if (values.endpoint !== undefined) {
    const accessKey = values['access-key'] ?? '';
    const secretKey = values['secret-key'] ?? '';
    process.exitCode = runScenarios({ endpoint: values.endpoint, accessKey, secretKey });
    return;
  }
  const cluster = await startDevCluster();
  try {
    process.exitCode = runScenarios(cluster);
  } finally {
    await cluster.stop();
  }
}

void main();
