import { randomBytes } from 'node:crypto';
import { parseArgs } from 'node:util';

import { readClusterDocument, sendControl } from '@azimuth/cli';
import { NO_FAULTS } from '@azimuth/common';
import type { Faults } from '@azimuth/common';

import { HEALTHY_LINK } from '../../packages/cli/src/dev/link-rule';
import { BenchClient } from './s3-client';

/**
 * What slow nodes and slow links cost, each measured against the healthy cluster in turns (A B B
 * A): GET with a storage node whose disk takes 200 ms longer, GET with one that is stopped, PUT
 * with 1 ms between zones. For a cluster that `azimuth dev --links --faults` runs in `--data`.
 */
const { values: flags } = parseArgs({
  options: {
    data: { type: 'string', default: '.azimuth' },
    seconds: { type: 'string', default: '8' },
    clients: { type: 'string', default: '8' },
    size: { type: 'string', default: '1048576' },
    only: { type: 'string', default: 'slow,stalled,link' },
  },
});

const OBJECTS = 32;
const LARGE_BYTES = 64 * 1024 * 1024;
const SETTLE_MS = 1_500;
const BUCKET = 'bench-links';

const region = readClusterDocument(flags.data).regions[0];
if (region === undefined) throw new Error('no cluster');
const seconds = Number(flags.seconds);
const clients = Number(flags.clients);
const client = new BenchClient(
  {
    region: region.name,
    accessKey: region.accessKey,
    secretKey: region.secretKey,
    endpoints: region.gateways.map(({ url }) => url),
  },
  clients,
);
const storageNodes = region.processes.filter(({ role }) => role === 'storage');
const victim = storageNodes[0]?.node ?? '';

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function require200(call: Parameters<BenchClient['call']>[0]): Promise<number> {
  const answer = await client.call(call);
  if (answer.status !== 200) throw new Error(`${call.path}: ${answer.status} ${answer.text}`);
  return answer.bytes;
}

interface Cell {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly perSecond: number;
  readonly extraReads: number;
  /** In the place of reads that failed; there is no doing without them. */
  readonly replacements: number;
}

interface ReadCounts {
  readonly primary: number;
  /** Hedges and probes. */
  readonly extra: number;
  readonly replacement: number;
}

async function readCounts(): Promise<ReadCounts> {
  const counts = { primary: 0, extra: 0, replacement: 0 };
  for (const { role, admin } of region?.processes ?? []) {
    if (role !== 'gateway') continue;
    const text = await (await fetch(`${admin}/metrics`)).text();
    for (const [, kind, count] of text.matchAll(/shard_reads_total\{kind="(\w+)"\} (\d+)/g)) {
      const isNeeded = kind === 'primary' || kind === 'replacement';
      counts[isNeeded ? kind : 'extra'] += Number(count);
    }
  }
  return counts;
}

/** `clients` of them without a pause, for so many seconds. */
async function measure(action: () => Promise<unknown>, parallel = clients): Promise<Cell> {
  const before = await readCounts();
  const elapsed: number[] = [];
  const startedMs = performance.now();
  const endMs = startedMs + seconds * 1000;
  await Promise.all(
    Array.from({ length: parallel }, async () => {
      while (performance.now() < endMs) {
        const callMs = performance.now();
        await action();
        elapsed.push(performance.now() - callMs);
      }
    }),
  );
  const tookSeconds = (performance.now() - startedMs) / 1000;
  const after = await readCounts();
  elapsed.sort((a, b) => a - b);
  const at = (quantile: number): number => elapsed[Math.floor(elapsed.length * quantile)] ?? 0;
  const primary = Math.max(1, after.primary - before.primary);
  return {
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    perSecond: elapsed.length / tookSeconds,
    extraReads: (after.extra - before.extra) / primary,
    replacements: (after.replacement - before.replacement) / primary,
  };
}

function print(name: string, { p50Ms, p99Ms, perSecond, extraReads, replacements }: Cell): void {
  process.stdout.write(
    `${name.padEnd(20)} p50 ${p50Ms.toFixed(1).padStart(7)} ms  p99 ${p99Ms.toFixed(1).padStart(7)} ms  ` +
      `${perSecond.toFixed(2).padStart(8)} /s  extra reads ${(extraReads * 100).toFixed(2)} %, ` +
      `replacements ${(replacements * 100).toFixed(2)} %\n`,
  );
}

/** A B B A, and what B is to A. */
async function compare(
  name: string,
  action: () => Promise<unknown>,
  toggle: (isOn: boolean) => Promise<void>,
  parallel?: number,
): Promise<void> {
  const cells: { readonly isOn: boolean; readonly cell: Cell }[] = [];
  for (const isOn of [false, true, true, false]) {
    await toggle(isOn);
    await sleep(SETTLE_MS);
    const cell = await measure(action, parallel);
    print(isOn ? name : 'healthy', cell);
    cells.push({ isOn, cell });
  }
  await toggle(false);
  const mean = (isOn: boolean, of: (cell: Cell) => number): number =>
    cells.filter((each) => each.isOn === isOn).reduce((sum, { cell }) => sum + of(cell), 0) / 2;
  const ratio = (of: (cell: Cell) => number): string =>
    (mean(true, of) / mean(false, of)).toFixed(2);
  process.stdout.write(
    `${name}: p99 ${ratio((cell) => cell.p99Ms)}x, rate ${ratio((cell) => cell.perSecond)}x\n`,
  );
}

const control = { region: null } as const;

async function setDelay(isOn: boolean): Promise<void> {
  const zones = [...new Set(storageNodes.map(({ zone }) => zone))];
  // Each way: timers know no half of it.
  const rule = { ...HEALTHY_LINK, delayMs: isOn ? 1 : 0 };
  const rules = zones.flatMap((from) =>
    zones.filter((to) => to !== from).map((to) => ({ from, to, rule })),
  );
  await sendControl(flags.data, { ...control, action: 'set-links', rules });
}

async function setSlow(isOn: boolean): Promise<void> {
  const faults: Faults = { ...NO_FAULTS, diskDelayMs: isOn ? 200 : 0 };
  await sendControl(flags.data, { ...control, action: 'set-faults', names: [victim], faults });
}

async function setStalled(isOn: boolean): Promise<void> {
  const action = isOn ? 'freeze' : 'thaw';
  await sendControl(flags.data, { ...control, action, scope: 'node', names: [victim] });
}

async function run(): Promise<void> {
  await client.call({ method: 'PUT', path: `/${BUCKET}` });
  const body = randomBytes(Number(flags.size));
  const path = (index: number): string => `/${BUCKET}/object-${index}`;
  for (let index = 0; index < OBJECTS; index += 1) {
    await require200({ method: 'PUT', path: path(index), body });
  }
  let next = 0;
  const get = (): Promise<number> => {
    next = (next + 1) % OBJECTS;
    return require200({ method: 'GET', path: path(next) });
  };
  await measure(get);
  const wanted = flags.only.split(',');
  if (wanted.includes('slow')) await compare('disk +200 ms', get, setSlow);
  if (wanted.includes('stalled')) await compare('stopped node', get, setStalled);
  if (wanted.includes('link')) {
    const large = randomBytes(LARGE_BYTES);
    const put = (): Promise<number> =>
      require200({ method: 'PUT', path: `/${BUCKET}/large-${(next += 1) % 8}`, body: large });
    await measure(put, 2);
    await compare('1 ms between zones', put, setDelay, 2);
  }
  process.exit(0);
}

void run();
