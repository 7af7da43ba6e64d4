/**
 * Cuts the power of a whole development cluster under load, again and again: the data of every node
 * lies on file systems of their own (zone a: ext4 noauto_da_alloc, b: XFS, c: ext4), all of which
 * are shut down at once without flushing their journals. After each cut every process is killed,
 * the file systems are mounted again, the cluster starts, and every acknowledged object is read.
 *
 * Usage: npm run power-loss -- [--cycles N] [--seed N] [--time-limit SECONDS] [--keep]
 *
 * Needs root (loop devices, mount, ioctl), perl, e2fsprogs and xfsprogs, and a build. Prints one
 * JSON line a cycle and a summary; ends with 1 when a write was lost or a store did not open.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { CreateBucketCommand } from '@aws-sdk/client-s3';
import { seededRandom } from '@azimuth/common';
import type { DevCluster } from '@azimuth/testkit';
import { startDevCluster } from '@azimuth/testkit';

import { pause } from '../test/chaos/eventually';
import { makeClient, Workload } from '../test/chaos/workload';
import type { FileSystem, ImageDisk } from '../test/power/power-cut';
import {
  checkFileSystem,
  cutPower,
  destroyDisks,
  makeImageDisk,
  mountDisk,
  placeOnDisk,
  unmountDisk,
} from '../test/power/power-cut';
import { wholeNumberOption } from './number-option';

const REGION = 'us-east-1';
const BUCKET = 'power-loss';
const CLIENTS = 6;
const LOAD_MS_MIN = 500;
const LOAD_MS_RANGE = 2_500;
/** Of the development cluster: small, so that snapshots are cut short as well. */
const SNAPSHOT_LOG_BYTES = 64 * 1024;
/** A machine that is busy may need more than one. */
const START_ATTEMPTS_MAX = 3;
/** Earlier objects are read again, and file systems checked, after so many cycles. */
const CYCLES_PER_FULL_CHECK = 10;

const FILE_SYSTEMS: readonly (readonly [zone: string, FileSystem])[] = [
  ['a', 'ext4-noauto_da_alloc'],
  ['b', 'xfs'],
  ['c', 'ext4'],
];

interface Totals {
  cycles: number;
  checkedKeys: number;
  acknowledgedWrites: number;
  /** Starts of the cluster that ended before it was ready, and were repeated. */
  slowStarts: number;
  readonly violations: string[];
  readonly unopenable: string[];
  readonly readyMs: number[];
}

class PowerLoss {
  readonly totals: Totals = {
    ...{ cycles: 0, checkedKeys: 0, acknowledgedWrites: 0, slowStarts: 0 },
    ...{ violations: [], unopenable: [], readyMs: [] },
  };
  readonly #directory: string;
  readonly #disks: ImageDisk[] = [];
  readonly #workloads: Workload[] = [];
  readonly #seed: number;
  #cluster: DevCluster | null = null;

  constructor(directory: string, seed: number) {
    this.#directory = directory;
    this.#seed = seed;
  }

  async prepare(): Promise<void> {
    for (const [zone, fileSystem] of FILE_SYSTEMS) {
      const disk = makeImageDisk(join(this.#directory, 'disks'), zone, fileSystem);
      this.#disks.push(disk);
      const nodes = [
        [`${zone}-metadata-1`, 'data'],
        [`${zone}-storage-1`, 'disk-1'],
        [`${zone}-storage-2`, 'disk-1'],
      ] as const;
      for (const [node, name] of nodes) {
        placeOnDisk(disk, join(this.#clusterDirectory, REGION, node, name), node);
      }
    }
    this.#cluster = await this.#start(0);
    const client = makeClient(this.#cluster, 8);
    await client.send(new CreateBucketCommand({ Bucket: BUCKET }));
    client.destroy();
  }

  async runCycle(cycle: number): Promise<void> {
    const cluster = this.#requireCluster();
    const random = seededRandom(this.#seed + cycle);
    const workload = new Workload(cluster, BUCKET, this.#seed + cycle * 1_000);
    this.#workloads.push(workload);
    workload.start(CLIENTS);
    await pause(LOAD_MS_MIN + random.next() * LOAD_MS_RANGE);
    cutPower(this.#disks);
    const acknowledged = workload.counts.write;
    await Promise.all([cluster.killEverything(), workload.stop()]);
    this.#cluster = null;
    const isFullCheck = cycle % CYCLES_PER_FULL_CHECK === 0;
    for (const disk of this.#disks) this.#remount(disk, isFullCheck);

    const startedMs = performance.now();
    const started = await this.#start(cycle);
    const readyMs = Math.round(performance.now() - startedMs);
    this.#cluster = started;
    let checked = 0;
    for (const each of isFullCheck ? this.#workloads : [workload]) {
      checked += await each.verify(started);
    }
    const violations = this.#workloads.flatMap((each) => each.violations.splice(0));
    this.totals.cycles += 1;
    this.totals.checkedKeys += checked;
    this.totals.acknowledgedWrites += acknowledged;
    this.totals.violations.push(...violations);
    this.totals.readyMs.push(readyMs);
    print({ cycle, acknowledged, checked, readyMs, violations });
  }

  async finish(): Promise<void> {
    const cluster = this.#requireCluster();
    for (const workload of this.#workloads) {
      this.totals.checkedKeys += await workload.verify(cluster);
      this.totals.violations.push(...workload.violations.splice(0));
    }
    await cluster.waitUntilProtected(120_000);
  }

  async destroy(isKept: boolean): Promise<void> {
    await this.#cluster?.stop().catch(() => undefined);
    if (isKept) return;
    destroyDisks(this.#disks, join(this.#directory, 'disks'));
    rmSync(this.#directory, { recursive: true, force: true });
  }

  get #clusterDirectory(): string {
    return join(this.#directory, 'cluster');
  }

  #remount(disk: ImageDisk, isChecked: boolean): void {
    unmountDisk(disk);
    mountDisk(disk);
    if (!isChecked) return;
    unmountDisk(disk);
    checkFileSystem(disk);
    mountDisk(disk);
  }

  /** The machine's boot id stays, so the nodes are told that this is another boot. */
  async #start(cycle: number): Promise<DevCluster> {
    const bootId = `power-loss-${this.#seed}-${cycle}`;
    const overrides = [
      `metadata.bootId="${bootId}"`,
      `storage.bootId="${bootId}"`,
      `metadata.snapshotLogBytes=${SNAPSHOT_LOG_BYTES}`,
    ];
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await startDevCluster({
          directory: this.#clusterDirectory,
          args: overrides.flatMap((override) => ['--config-override', override]),
        });
      } catch (error) {
        if (attempt < START_ATTEMPTS_MAX) {
          this.totals.slowStarts += 1;
          continue;
        }
        this.totals.unopenable.push(`cycle ${cycle}: ${String(error)}`);
        throw error;
      }
    }
  }

  #requireCluster(): DevCluster {
    if (this.#cluster === null) throw new Error('the cluster does not run');
    return this.#cluster;
  }
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      cycles: { type: 'string', default: '100' },
      seed: { type: 'string', default: '1' },
      'time-limit': { type: 'string', default: '3600' },
      keep: { type: 'boolean', default: false },
    },
  });
  if (process.getuid?.() !== 0) throw new Error('power-loss needs root: it mounts file systems');
  const cycles = wholeNumberOption('cycles', values.cycles, 1);
  const seed = wholeNumberOption('seed', values.seed, 0);
  const limitS = wholeNumberOption('time-limit', values['time-limit'], 1);
  const directory = mkdtempSync(join(tmpdir(), 'azimuth-power-'));
  const run = new PowerLoss(directory, seed);
  const endMs = performance.now() + limitS * 1_000;
  try {
    await run.prepare();
    for (let cycle = 1; cycle <= cycles && performance.now() < endMs; cycle += 1) {
      await run.runCycle(cycle);
    }
    await run.finish();
  } catch (error) {
    run.totals.violations.push(String(error));
  }
  const { readyMs, ...totals } = run.totals;
  const sorted = readyMs.toSorted((a, b) => a - b);
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD']).toString().trim();
  print({ commit, ...totals, readyMs: { median: sorted[sorted.length >> 1], max: sorted.at(-1) } });
  await run.destroy(values.keep && totals.violations.length > 0);
  process.exitCode = totals.violations.length + totals.unopenable.length > 0 ? 1 : 0;
}

function print(line: Readonly<Record<string, unknown>>): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

main().catch((error: unknown) => {
  process.stderr.write(`${String(error)}\n`);
  process.exitCode = 1;
});
