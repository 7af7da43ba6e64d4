import { randomFillSync } from 'node:crypto';

import { build } from 'hdr-histogram-js';
import type { Histogram } from 'hdr-histogram-js';

import type { BenchClient, S3Answer } from './s3-client';
import { readUsage } from './server-usage';
import type { ServerProcess, Usage } from './server-usage';

export type Operation = 'PUT' | 'GET' | 'HEAD' | 'LIST';

export interface Cell {
  readonly operation: Operation;
  readonly sizeBytes: number;
  readonly concurrency: number;
}

export interface CellResult {
  readonly cell: Cell;
  readonly seconds: number;
  readonly operations: number;
  /** Object bytes for PUT and GET. */
  readonly bytes: number;
  readonly errors: number;
  /** Microseconds. */
  readonly latency: Histogram;
  readonly cpuSecondsByRole: ReadonlyMap<string, number>;
  readonly shardBytes: number;
  readonly residentBytesByRole: ReadonlyMap<string, number>;
}

export interface BenchRun {
  readonly client: BenchClient;
  readonly bucket: string;
  readonly processes: () => readonly ServerProcess[];
  readonly secondsPerCell: number;
  /** Before each cell the same load runs for so long without being counted. */
  readonly warmUpSeconds: number;
  /** Highest object number written, by size. */
  readonly written: Map<number, number>;
}

/** Distinct bodies, so that nothing can cheat by content. */
const BODY_VARIANTS = 4;
export const LIST_PAGE_KEYS = 1000;
const NO_BYTES = Buffer.alloc(0);
const FILL_CONCURRENCY = 128;
const FILL_PROGRESS_KEYS = 1_000;
const FILL_FAILURES_MAX = 100;
const bodies = new Map<number, readonly Buffer[]>();

function bodyOf(sizeBytes: number, number: number): Buffer {
  let variants = bodies.get(sizeBytes);
  if (variants === undefined) {
    variants = Array.from({ length: BODY_VARIANTS }, () => randomFillSync(Buffer.alloc(sizeBytes)));
    bodies.set(sizeBytes, variants);
  }
  return variants[number % BODY_VARIANTS]!;
}

/** Runs one operation at one size and concurrency for a while, and counts what the servers used. */
export async function runCell(
  run: BenchRun,
  cell: Cell,
  onProgress: (text: string) => void,
): Promise<CellResult> {
  const counter = new CellCounter(cell, onProgress);
  // To its end, so that nothing of it is left when counting begins.
  if (run.warmUpSeconds > 0) await load(run, cell, run.warmUpSeconds, null);
  const before = await readUsage(run.processes());
  counter.start();
  await load(run, cell, run.secondsPerCell, counter);
  const seconds = counter.stop();
  const after = await readUsage(run.processes());
  const { operations, bytes, errors, latency } = counter;
  return { cell, seconds, operations, bytes, errors, latency, ...usedBetween(before, after) };
}

/** Writes empty objects beside those of a size until a listing has so many keys. */
export async function fill(
  run: BenchRun,
  { sizeBytes, keys }: { readonly sizeBytes: number; readonly keys: number },
  onProgress: (text: string) => void,
): Promise<void> {
  const { client, bucket, written } = run;
  let failures = 0;
  const worker = async (): Promise<void> => {
    for (;;) {
      const number = (written.get(sizeBytes) ?? 0) + 1;
      if (number > keys) return;
      written.set(sizeBytes, number);
      const path = keyPath(bucket, sizeBytes, number);
      const { status } = await client.call({ method: 'PUT', path, body: NO_BYTES });
      if (status >= 300) failures += 1;
      if (failures > FILL_FAILURES_MAX) throw new Error(`writing keys fails with ${status}`);
      if (number % FILL_PROGRESS_KEYS === 0) onProgress(`${number} of ${keys} keys`);
    }
  };
  await Promise.all(Array.from({ length: FILL_CONCURRENCY }, worker));
}

/** What the servers use without any request, as CPU-seconds per second by role. */
export async function measureIdle(
  processes: readonly ServerProcess[],
  seconds: number,
): Promise<ReadonlyMap<string, number>> {
  const before = await readUsage(processes);
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  const { cpuSecondsByRole } = usedBetween(before, await readUsage(processes));
  return new Map(Array.from(cpuSecondsByRole, ([role, used]) => [role, used / seconds]));
}

class CellCounter {
  readonly latency = build({
    highestTrackableValue: 120_000_000,
    numberOfSignificantValueDigits: 3,
  });
  operations = 0;
  bytes = 0;
  errors = 0;
  readonly #cell: Cell;
  readonly #onProgress: (text: string) => void;
  #startedMs = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(cell: Cell, onProgress: (text: string) => void) {
    this.#cell = cell;
    this.#onProgress = onProgress;
  }

  start(): void {
    this.#startedMs = performance.now();
    this.#timer = setInterval(() => {
      const rate = this.operations / this.#seconds();
      this.#onProgress(`${nameOf(this.#cell)}: ${rate.toFixed(0)} op/s, ${this.errors} errors`);
    }, 500);
  }

  /** Returns the seconds since the start. */
  stop(): number {
    clearInterval(this.#timer);
    return this.#seconds();
  }

  count(beganMs: number, answer: S3Answer): void {
    this.latency.recordValue(Math.round((performance.now() - beganMs) * 1000));
    this.operations += 1;
    this.bytes += this.#cell.operation === 'PUT' ? this.#cell.sizeBytes : answer.bytes;
  }

  fail(error: unknown): void {
    this.errors += 1;
    if (this.errors === 1) this.#onProgress(`${String(error)}\n`);
  }

  #seconds(): number {
    return (performance.now() - this.#startedMs) / 1000;
  }
}

/** Every worker ends its last operation, however long it takes. */
async function load(
  run: BenchRun,
  cell: Cell,
  seconds: number,
  counter: CellCounter | null,
): Promise<void> {
  const endMs = performance.now() + seconds * 1000;
  const worker = async (): Promise<void> => {
    while (performance.now() < endMs) {
      const beganMs = performance.now();
      try {
        const answer = await runOnce(run, cell);
        if (answer.status >= 300) throw new Error(`${answer.status} ${answer.text.slice(0, 300)}`);
        counter?.count(beganMs, answer);
      } catch (error) {
        counter?.fail(error);
      }
    }
  };
  await Promise.all(Array.from({ length: cell.concurrency }, worker));
}

async function runOnce(run: BenchRun, cell: Cell): Promise<S3Answer> {
  const { client, bucket, written } = run;
  const { operation, sizeBytes } = cell;
  if (operation === 'PUT') {
    const number = (written.get(sizeBytes) ?? 0) + 1;
    written.set(sizeBytes, number);
    const body = bodyOf(sizeBytes, number);
    return client.call({ method: 'PUT', path: keyPath(bucket, sizeBytes, number), body });
  }
  if (operation === 'LIST') {
    const from = String(Math.floor(Math.random() * 1e8)).padStart(8, '0');
    const query = `list-type=2&max-keys=${LIST_PAGE_KEYS}&prefix=${sizeBytes}%2F&start-after=${sizeBytes}%2F${from}`;
    const sorted = query.split('&').sort().join('&');
    return client.call({ method: 'GET', path: `/${bucket}`, query: sorted });
  }
  const number = 1 + Math.floor(Math.random() * Math.max(1, written.get(sizeBytes) ?? 1));
  return client.call({ method: operation, path: keyPath(bucket, sizeBytes, number) });
}

/** Keys spread over the listing, so that a page may start anywhere. */
function keyPath(bucket: string, sizeBytes: number, number: number): string {
  const spread = (Math.imul(number, 0x9e3779b1) >>> 0) % 1e8;
  return `/${bucket}/${sizeBytes}/${String(spread).padStart(8, '0')}-${number}`;
}

function usedBetween(
  before: Usage,
  after: Usage,
): Pick<CellResult, 'cpuSecondsByRole' | 'shardBytes' | 'residentBytesByRole'> {
  const cpuSecondsByRole = new Map<string, number>();
  for (const [role, seconds] of after.cpuSecondsByRole) {
    cpuSecondsByRole.set(role, seconds - (before.cpuSecondsByRole.get(role) ?? 0));
  }
  return {
    cpuSecondsByRole,
    shardBytes: after.shardBytes - before.shardBytes,
    residentBytesByRole: after.residentBytesByRole,
  };
}

export function nameOf({ operation, sizeBytes, concurrency }: Cell): string {
  return `${operation} ${sizeName(sizeBytes)} ×${concurrency}`;
}

export function sizeName(sizeBytes: number): string {
  if (sizeBytes >= 1 << 20) return `${sizeBytes / (1 << 20)} MiB`;
  if (sizeBytes >= 1 << 10) return `${sizeBytes / (1 << 10)} KiB`;
  return `${sizeBytes} B`;
}
