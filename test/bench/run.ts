/**
 * `npm run bench`: throughput, latency and what it costs the servers, over HTTP as a client sees
 * it. Without `--endpoint` it starts a development cluster of its own and asks its gateways in
 * turn; then CPU by role comes from the processes' own times. `--help` names the options.
 */
import { execFileSync } from 'node:child_process';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';

import { readClusterDocument } from '@azimuth/cli';
import type { RegionDocument } from '@azimuth/cli';
import { required } from '@azimuth/common';
import { startDevCluster } from '@azimuth/testkit';
import type { DevCluster } from '@azimuth/testkit';

import { namedChoices } from '../../scripts/named-choices';
import { wholeNumberOption } from '../../scripts/number-option';
import { BUDGETS, renderBudgets } from './budgets';
import { measureMemoryLatency } from './memory-latency';
import { renderTable } from './report';
import { BenchClient } from './s3-client';
import type { S3Target } from './s3-client';
import type { ServerProcess } from './server-usage';
import { fill, measureIdle, nameOf, runCell } from './workload';
import type { BenchRun, Cell, CellResult, Operation } from './workload';

const HELP = `npm run bench -- [options]

  --endpoint URL        an S3 server to measure; default: a development cluster of its own
  --access-key KEY --secret-key KEY --region NAME
  --data DIR            measure the development cluster that runs in DIR
  --sizes LIST          default 4KiB,64KiB,1MiB,16MiB,64MiB
  --concurrency LIST    default 1,16
  --operations LIST     default PUT,GET,HEAD,LIST
  --seconds N           for each cell; default 5
  --warm-up N           seconds of the same load before each cell, not counted; default 10
  --bulk-mode MODE      crc or secure, for a cluster of its own; default crc
  --keys N              keys that a LIST finds at least; default: what was written before it
  --budgets             the cells that have a budget, timed as docs/benchmarks.md says
`;

const OPERATIONS: readonly { readonly name: Operation }[] = [
  { name: 'PUT' },
  { name: 'GET' },
  { name: 'HEAD' },
  { name: 'LIST' },
];
const IDLE_SECONDS = 3;

type PlannedCell = Pick<BenchRun, 'secondsPerCell' | 'warmUpSeconds'> & { readonly cell: Cell };

interface Subject {
  readonly target: S3Target;
  readonly name: string;
  processes(): readonly ServerProcess[];
  stop(): Promise<void>;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      help: { type: 'boolean' },
      endpoint: { type: 'string' },
      data: { type: 'string' },
      'access-key': { type: 'string' },
      'secret-key': { type: 'string' },
      region: { type: 'string', default: 'us-east-1' },
      sizes: { type: 'string', default: '4KiB,64KiB,1MiB,16MiB,64MiB' },
      concurrency: { type: 'string', default: '1,16' },
      operations: { type: 'string', default: 'PUT,GET,HEAD,LIST' },
      seconds: { type: 'string', default: '5' },
      'warm-up': { type: 'string', default: '10' },
      'bulk-mode': { type: 'string', default: 'crc' },
      keys: { type: 'string', default: '0' },
      budgets: { type: 'boolean', default: false },
    },
  });
  if (values.help === true) {
    process.stdout.write(HELP);
    return;
  }
  const plan = values.budgets ? BUDGETS : planCells(values);
  const keys = wholeNumberOption('keys', values.keys, 0);
  const subject = await openSubject(values);
  try {
    const latencies = [measureMemoryLatency()];
    const idle = await measureIdle(subject.processes(), IDLE_SECONDS);
    const results = await measure(subject, plan, keys);
    process.stdout.write(`${describe(subject, plan)}\n\n${renderTable(results)}\n`);
    if (values.budgets) process.stdout.write(`\n${renderBudgets(BUDGETS, results)}\n`);
    latencies.push(measureMemoryLatency());
    process.stdout.write(
      `\n${describeLatency(latencies)}\n${describeMemory(results)}\n${describeIdle(idle)}\n`,
    );
    if (results.some(({ errors }) => errors > 0)) process.exitCode = 1;
  } finally {
    await subject.stop();
  }
}

/** Every size is written before it is read; lists and heads only of the smallest. */
function planCells(values: {
  readonly sizes: string;
  readonly concurrency: string;
  readonly operations: string;
  readonly seconds: string;
  readonly 'warm-up': string;
}): readonly PlannedCell[] {
  const sizes = values.sizes.split(',').map(parseSize);
  const operations = values.operations
    .split(',')
    .flatMap((name) => namedChoices('operations', name, OPERATIONS))
    .map(({ name }) => name);
  const secondsPerCell = wholeNumberOption('seconds', values.seconds, 1);
  const warmUpSeconds = wholeNumberOption('warm-up', values['warm-up'], 0);
  const concurrencies = values.concurrency
    .split(',')
    .map((text) => wholeNumberOption('concurrency', text, 1));
  const plan: PlannedCell[] = [];
  for (const sizeBytes of sizes) {
    for (const operation of operations) {
      const isOfBytes = operation === 'PUT' || operation === 'GET';
      if (!isOfBytes && sizeBytes !== sizes[0]) continue;
      for (const concurrency of concurrencies) {
        const cell = { operation, sizeBytes, concurrency };
        plan.push({ cell, secondsPerCell, warmUpSeconds });
      }
    }
  }
  return plan;
}

async function measure(
  subject: Subject,
  plan: readonly PlannedCell[],
  keys: number,
): Promise<readonly CellResult[]> {
  const connections = Math.max(...plan.map(({ cell }) => cell.concurrency));
  const client = new BenchClient(subject.target, connections);
  const bucket = `bench-${Date.now().toString(36)}`;
  const made = await client.call({ method: 'PUT', path: `/${bucket}`, keepText: true });
  if (made.status !== 200) throw new Error(`cannot create ${bucket}: ${made.status} ${made.text}`);
  const processes = (): readonly ServerProcess[] => subject.processes();
  const written = new Map<number, number>();
  const results: CellResult[] = [];
  for (const [index, { cell, secondsPerCell, warmUpSeconds }] of plan.entries()) {
    const progress = (text: string): void => {
      process.stderr.write(`\r\x1b[K[${index + 1}/${plan.length}] ${text}`);
    };
    progress(nameOf(cell));
    const run = { client, bucket, processes, written, secondsPerCell, warmUpSeconds };
    if (cell.operation === 'LIST') await fill(run, { sizeBytes: cell.sizeBytes, keys }, progress);
    results.push(await runCell(run, cell, progress));
  }
  process.stderr.write('\r\x1b[K');
  await client.close();
  return results;
}

async function openSubject(values: {
  readonly endpoint?: string | undefined;
  readonly data?: string | undefined;
  readonly 'access-key'?: string | undefined;
  readonly 'secret-key'?: string | undefined;
  readonly region: string;
  readonly 'bulk-mode': string;
}): Promise<Subject> {
  if (values.endpoint !== undefined) {
    const target = {
      endpoints: [values.endpoint],
      region: values.region,
      accessKey: values['access-key'] ?? '',
      secretKey: values['secret-key'] ?? '',
    };
    return { target, name: values.endpoint, processes: () => [], stop: () => Promise.resolve() };
  }
  if (values.data !== undefined) return subjectOf(readCluster(values.data), 'running cluster');
  process.stderr.write('starting a development cluster\n');
  const args = ['--log-level', 'warn', '--bulk-mode', values['bulk-mode']];
  const cluster = await startDevCluster({ args });
  return subjectOf(cluster, `development cluster, bulk mode ${values['bulk-mode']}`);
}

type RunningCluster = Pick<
  DevCluster,
  'gateways' | 'region' | 'accessKey' | 'secretKey' | 'processes' | 'stop'
>;

function subjectOf(cluster: RunningCluster, name: string): Subject {
  const { gateways, region, accessKey, secretKey } = cluster;
  const endpoints = gateways.map(({ url }) => url);
  return {
    target: { endpoints, region, accessKey, secretKey },
    name: `${name}, ${gateways.length} gateways`,
    processes: () => cluster.processes(),
    stop: () => cluster.stop(),
  };
}

function readCluster(directory: string): RunningCluster {
  const read = (): RegionDocument => required(readClusterDocument(directory).regions[0], 'region');
  const { name, gateways, accessKey, secretKey } = read();
  return {
    region: name,
    gateways,
    accessKey,
    secretKey,
    processes: () => read().processes,
    stop: () => Promise.resolve(),
  };
}

function describe(subject: Subject, plan: readonly PlannedCell[]): string {
  const timings = plan.map(
    ({ secondsPerCell: counted, warmUpSeconds: before }) =>
      `${counted} s a cell after ${before} s of warm-up`,
  );
  const [cpu] = cpus();
  let commit = 'unknown';
  try {
    commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim();
  } catch {
    // Not a checkout.
  }
  return (
    `${subject.name}; commit ${commit}; Node ${process.version}; ` +
    `${cpus().length} × ${cpu?.model.trim() ?? 'unknown'}; ${[...new Set(timings)].join(', ')}; ` +
    `CPU of all server processes`
  );
}

function describeMemory(results: readonly CellResult[]): string {
  const peaks = new Map<string, number>();
  for (const { residentBytesByRole } of results) {
    for (const [role, bytes] of residentBytesByRole) {
      peaks.set(role, Math.max(peaks.get(role) ?? 0, bytes));
    }
  }
  const parts = [...peaks].map(([role, bytes]) => `${role} ${(bytes / 2 ** 20).toFixed(0)} MiB`);
  return parts.length === 0 ? '' : `Largest resident process seen: ${parts.join(', ')}.`;
}

function describeLatency(nanoseconds: readonly number[]): string {
  const texts = nanoseconds.map((value) => value.toFixed(0));
  return `A load from memory that misses the caches: ${texts.join(' ns before, ')} ns after.`;
}

function describeIdle(idle: ReadonlyMap<string, number>): string {
  if (idle.size === 0) return '';
  const sum = [...idle.values()].reduce((total, value) => total + value, 0);
  const parts = Array.from(idle, ([role, value]) => `${role} ${value.toFixed(3)}`);
  return `Idle before the first cell: ${sum.toFixed(3)} CPU-s/s (${parts.join(', ')}).`;
}

function parseSize(text: string): number {
  const match = /^(\d+)(B|KiB|MiB)?$/.exec(text.trim());
  if (match === null) throw new Error(`not a size: ${text}`);
  const unit = match[2] === 'MiB' ? 1 << 20 : match[2] === 'KiB' ? 1 << 10 : 1;
  return Number(match[1]) * unit;
}

main().catch((error: unknown) => {
  process.stderr.write(
    `${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
  );
  process.exitCode = 1;
});
