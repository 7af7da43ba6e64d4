import { execFile, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { readClusterDocument, sendControl } from '@azimuth/cli';
import type { ControlAction, ProcessDocument, RegionDocument } from '@azimuth/cli';
import { required } from '@azimuth/common';

/** The built command line; `src/` and `dist/` lie equally deep. */
const PROGRAM = join(__dirname, '..', '..', 'cli', 'dist', 'main.js');
const START_TIMEOUT_MS = 150_000;
const STOP_TIMEOUT_MS = 25_000;
const POLL_MS = 100;
const STATUS_POLL_MS = 1_000;
const OUTPUT_CHARACTERS_MAX = 20_000;

/** What `azimuth status --json` says, as far as tests wait for it. */
export interface DevStatus {
  /** Null when a part of the cluster does not answer. */
  readonly shardsMissing: number | null;
  readonly placementGroups: {
    readonly whole: number;
    readonly degraded: number;
    readonly reduced: number;
  };
  readonly backlog: {
    readonly repairEntries: number;
    readonly garbageEntries: number;
    readonly restripeEntries: number;
  };
  readonly durability: {
    readonly survives: string;
    readonly groupsAtRisk: readonly { readonly reasons: readonly string[] }[];
    readonly groupsAtRiskTotal: number;
    readonly blobsAtRiskTotal: number | null;
  } | null;
  readonly metadata: readonly { readonly nodeId: string; readonly isReachable: boolean }[];
  readonly damagedReplicas: readonly { readonly nodeId: string; readonly group: string }[];
  readonly raftGroups: readonly { readonly group: string; readonly leader: string | null }[];
  readonly storage: readonly {
    readonly nodeId: string;
    readonly state: string;
    readonly disks: readonly {
      readonly diskId: string;
      readonly state: string;
      readonly usedBytes: number | null;
      readonly shardCount: number | null;
    }[];
  }[];
}

/** What `azimuth explain --json` says of a version, as far as tests look at it. */
export interface DevExplanation {
  readonly inlineBytes: number | null;
  readonly blobs: readonly {
    readonly blobId: string;
    readonly pgId: number;
    readonly profile: string;
    readonly isReduced: boolean;
    /** In words: what it survives now. */
    readonly survives: string;
    readonly shards: readonly {
      readonly shardIndex: number;
      readonly zone: string;
      readonly nodeId: string;
      /** `intact` when the storage node has just read it and found it so. */
      readonly presence: string;
    }[];
  }[];
}

/** A development cluster of real processes. Plain properties: it may be spread. */
export interface DevCluster {
  readonly directory: string;
  readonly endpoint: string;
  readonly region: string;
  readonly accessKey: string;
  readonly secretKey: string;
  readonly gateways: readonly { readonly zone: string; readonly url: string }[];
  /** The processes alive now. */
  processes(): readonly ProcessDocument[];
  zone(action: ControlAction, ...names: string[]): Promise<void>;
  node(action: ControlAction, ...names: string[]): Promise<void>;
  /** Runs `azimuth ARGS --data DIR` and answers what it printed; rejects when it fails. */
  azimuth(...args: string[]): Promise<string>;
  status(): Promise<DevStatus>;
  explain(bucket: string, key: string): Promise<DevExplanation>;
  /** Where a node keeps everything; a storage node's only disk is `disk-1` in it. */
  nodeDirectory(nodeId: string): string;
  /**
   * Resolves when no shard is missing, every normal placement group is whole and nothing is left to
   * re-stripe; rejects after `timeoutMs` with the last status.
   */
  waitUntilProtected(timeoutMs: number): Promise<void>;
  /** `kill -9` of the launcher and of every process at once; the directory stays. */
  killEverything(): Promise<void>;
  /** Stops everything and removes the directory if the harness made it. Safe to call twice. */
  stop(): Promise<void>;
}

export interface DevClusterStart {
  /** Default: a fresh one, removed by `stop`. */
  readonly directory?: string;
  /** Default: a free one. */
  readonly port?: number;
  /** More arguments for `azimuth dev`. */
  readonly args?: readonly string[];
}

const ownDirectories = new Set<string>();
const launchers = new Set<ChildProcess>();

// A test run that ends, however it ends, leaves no process behind: here by its process group, and
// after a `kill -9` of us by the end of the launcher's standard input.
process.on('exit', () => {
  for (const launcher of launchers) killGroup(launcher);
});

/** Runs `azimuth dev` and resolves when it is ready. Needs a build. */
export async function startDevCluster(options: DevClusterStart = {}): Promise<DevCluster> {
  const directory = options.directory ?? mkdtempSync(join(tmpdir(), 'azimuth-cluster-'));
  if (options.directory === undefined) ownDirectories.add(directory);
  const port = options.port ?? (await findFreePort());
  const args = ['dev', '--data', directory, '--port', `${port}`, '--exit-with-parent'];
  const launcher = spawn(process.execPath, [PROGRAM, ...args, ...(options.args ?? [])], {
    stdio: ['pipe', 'pipe', 'pipe'],
    // A process group of its own, so that all of it can be killed at once.
    detached: true,
  });
  launchers.add(launcher);
  const ended = new Promise<void>((resolve) => {
    launcher.once('exit', () => {
      launchers.delete(launcher);
      resolve();
    });
  });
  const output = collectOutput(launcher);
  await waitReady(directory, launcher, output);
  return describeCluster(directory, launcher, ended);
}

function describeCluster(
  directory: string,
  launcher: ChildProcess,
  ended: Promise<void>,
): DevCluster {
  const read = (): RegionDocument => required(readClusterDocument(directory).regions[0], 'region');
  const { name: region, endpoint, accessKey, secretKey, gateways } = read();
  // As `azimuth dev zone|node ACTION`, without a process that takes half a second to load: what is
  // measured from here on begins now.
  const act = async (
    scope: 'zone' | 'node',
    action: ControlAction,
    names: readonly string[],
  ): Promise<void> => {
    await sendControl(directory, { action, scope, names, region: null });
  };
  const status = async (): Promise<DevStatus> =>
    JSON.parse(await runProgram(['status', '--data', directory, '--json'])) as DevStatus;
  const explain = async (bucket: string, key: string): Promise<DevExplanation> => {
    const args = ['explain', `s3://${bucket}/${key}`, '--data', directory, '--json'];
    return JSON.parse(await runProgram(args)) as DevExplanation;
  };
  const killEverything = async (): Promise<void> => {
    const pids = read().processes.map(({ pid }) => pid);
    killGroup(launcher);
    await ended;
    await waitUntil(() => pids.every((pid) => !isAlive(pid)), STOP_TIMEOUT_MS, 'processes to end');
  };
  return {
    directory,
    endpoint,
    region,
    accessKey,
    secretKey,
    gateways,
    processes: () => read().processes,
    zone: (action, ...names) => act('zone', action, names),
    node: (action, ...names) => act('node', action, names),
    azimuth: (...args) => runProgram([...args, '--data', directory]),
    status,
    explain,
    nodeDirectory: (nodeId) => join(directory, region, nodeId),
    waitUntilProtected: (timeoutMs) => waitUntilProtected(status, timeoutMs),
    killEverything,
    stop: async () => {
      if (launchers.has(launcher)) {
        launcher.kill('SIGTERM');
        const timer = setTimeout(() => killGroup(launcher), STOP_TIMEOUT_MS);
        await ended;
        clearTimeout(timer);
      }
      if (ownDirectories.has(directory)) rmSync(directory, { recursive: true, force: true });
    },
  };
}

async function waitReady(
  directory: string,
  launcher: ChildProcess,
  output: () => string,
): Promise<void> {
  const isReady = (): boolean => {
    if (launcher.exitCode !== null || launcher.signalCode !== null) {
      throw new Error(`azimuth dev ended before it was ready:\n${output()}`);
    }
    try {
      const { ready, launcherPid } = readClusterDocument(directory);
      // After a kill -9 the file of the last time is still there.
      return ready && launcherPid === launcher.pid;
    } catch {
      return false;
    }
  };
  try {
    await waitUntil(isReady, START_TIMEOUT_MS, 'the cluster to be ready');
  } catch (error) {
    killGroup(launcher);
    throw new Error(`${String(error)}\n${output()}`, { cause: error });
  }
}

async function waitUntilProtected(
  status: () => Promise<DevStatus>,
  timeoutMs: number,
): Promise<void> {
  const deadlineMs = performance.now() + timeoutMs;
  let last: unknown;
  while (performance.now() < deadlineMs) {
    try {
      const answer = await status();
      last = answer;
      const { shardsMissing, placementGroups, backlog } = answer;
      const isWhole = placementGroups.degraded === 0 && backlog.restripeEntries === 0;
      if (shardsMissing === 0 && isWhole) return;
    } catch (error) {
      last = String(error);
    }
    await pause(STATUS_POLL_MS);
  }
  throw new Error(`not protected after ${timeoutMs} ms: ${JSON.stringify(last)}`);
}

function runProgram(args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [PROGRAM, ...args], (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(`azimuth ${args.join(' ')}: ${stderr}`, { cause: error }));
    });
  });
}

async function waitUntil(isDone: () => boolean, timeoutMs: number, what: string): Promise<void> {
  const deadlineMs = performance.now() + timeoutMs;
  while (!isDone()) {
    if (performance.now() > deadlineMs) throw new Error(`waited ${timeoutMs} ms for ${what}`);
    await pause(POLL_MS);
  }
}

function pause(delayMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, delayMs));
}

function collectOutput(launcher: ChildProcess): () => string {
  let text = '';
  const collect = (chunk: Buffer): void => {
    text = `${text}${chunk.toString()}`.slice(-OUTPUT_CHARACTERS_MAX);
  };
  launcher.stdout?.on('data', collect);
  launcher.stderr?.on('data', collect);
  return () => text;
}

function killGroup(launcher: ChildProcess): void {
  if (launcher.pid === undefined) return;
  try {
    process.kill(-launcher.pid, 'SIGKILL');
  } catch {
    // The whole group is gone already.
  }
}

/** A zombie that nobody has waited for yet has no command line: it holds nothing any more. */
function isAlive(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`).length > 0;
  } catch {
    return false;
  }
}

async function findFreePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
