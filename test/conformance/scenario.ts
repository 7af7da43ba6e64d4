/** What the scripted acceptance scenarios of real clients share. */
import { execFileSync, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';

export interface Target {
  readonly endpoint: string;
  readonly accessKey: string;
  readonly secretKey: string;
}

export interface Workplace {
  /** Files of many sizes and names; read only. */
  readonly source: string;
  /** An empty directory of the scenario's own. */
  readonly scratch: string;
}

/** A client at work as its users use it; throws when anything is not as it should be. */
export interface Scenario {
  /** The program that must be installed. */
  readonly client: string;
  /** Debian package that brings it. */
  readonly debianPackage: string;
  run(target: Target, workplace: Workplace): void;
}

export const MIB = 1024 * 1024;
export const REGION = 'us-east-1';

const FILES: readonly (readonly [string, number])[] = [
  ['one-byte', 1],
  ['empty', 0],
  ['inline edge', 8_192],
  ['nested/replica edge.bin', 131_072],
  ['nested/deeper/stripe.bin', MIB + 1],
  ['nested/plus+percent%41.txt', 5_000],
  ['ünïcode/😀.txt', 20_000],
  ['multipart-20M', 20 * MIB],
];
const LARGE_FILE = ['multipart-300M', 300 * MIB] as const;

/** Fills `directory` and answers how many files are in it. */
export function writeSourceFiles(directory: string, withLargeFile: boolean): number {
  const files = withLargeFile ? [...FILES, LARGE_FILE] : FILES;
  for (const [name, sizeBytes] of files) writeRandomFile(join(directory, name), sizeBytes);
  return files.length;
}

export function writeRandomFile(path: string, sizeBytes: number): void {
  mkdirSync(dirname(path), { recursive: true });
  const file = openSync(path, 'w');
  for (let left = sizeBytes; left > 0; left -= MIB) {
    writeSync(file, randomBytes(Math.min(left, MIB)));
  }
  closeSync(file);
}

/** Debian's packages before any other copies: those have other versions on every machine. */
const PATH = `/usr/bin:/bin:/usr/sbin:/sbin:${process.env['PATH'] ?? ''}`;

/** A clean environment: what the caller has set for AWS must not leak into the clients. */
export function environment(extra: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const { HOME, LANG } = process.env;
  return { PATH, HOME, LANG: LANG ?? 'C.UTF-8', ...extra };
}

/** Runs a program to its end and answers what it printed; a failure throws with its stderr. */
export function run(
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
  cwd?: string,
): string {
  return execFileSync(command, args, {
    env: environment(env),
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    maxBuffer: 64 * MIB,
    ...(cwd === undefined ? {} : { cwd }),
  });
}

export function isInstalled(command: string): boolean {
  return spawnSync('which', [command], { env: { PATH } }).status === 0;
}

export function assertEqualTrees(left: string, right: string): void {
  const result = spawnSync('diff', ['-r', left, right], { encoding: 'utf8' });
  if (result.status !== 0) throw new Error(`trees differ:\n${result.stdout}${result.stderr}`);
}

export function assertThat(isTrue: boolean, what: string): void {
  if (!isTrue) throw new Error(what);
}

/** Credentials for everything that is built on botocore, boto or the AWS SDKs. */
export function awsEnvironment(target: Target): NodeJS.ProcessEnv {
  return {
    AWS_ACCESS_KEY_ID: target.accessKey,
    AWS_SECRET_ACCESS_KEY: target.secretKey,
    AWS_DEFAULT_REGION: REGION,
    AWS_CONFIG_FILE: '/dev/null',
    AWS_EC2_METADATA_DISABLED: 'true',
  };
}

/** The AWS CLI pointed at the target. */
export function awsCommand(target: Target): (...args: string[]) => string {
  return (...args) =>
    run('aws', ['--endpoint-url', target.endpoint, ...args], awsEnvironment(target));
}

export function hostOf(target: Target): string {
  return target.endpoint.replace(/^https?:\/\//, '');
}
