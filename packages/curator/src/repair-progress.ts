import type { CensusRecord, RepairRecord, RepairReport } from '@azimuth/proto';

const LEVELS_MAX = 32;
/** Weight of the last interval in the rate that is reported. */
const RATE_WEIGHT = 0.3;

/** What a tour over the repair outboxes has seen. */
export class RepairBacklog {
  shards = 0;
  bytes = 0;
  /** By the losses that a blob still survives. */
  readonly blobsAtRisk: number[] = [];
  readonly groups = new Set<number>();

  add(pgId: number, lossesLeft: number, shards: number, shardSizeBytes: number): void {
    this.shards += shards;
    this.bytes += shards * shardSizeBytes;
    this.groups.add(pgId);
    const level = Math.min(Math.max(0, lossesLeft), LEVELS_MAX - 1);
    while (this.blobsAtRisk.length <= level) this.blobsAtRisk.push(0);
    this.blobsAtRisk[level] = (this.blobsAtRisk[level] ?? 0) + 1;
  }
}

function isProven(report: RepairReport | null): boolean {
  return report?.groupsUnproven === 0 && report.census?.finishedMs != null;
}

/**
 * How far repair is. A group is unproven from when something of it was missing until a census has
 * read back every shard of it. What the last curator knew comes from the root group; when it left
 * anything unproven, or nothing is known, everything is.
 */
export class RepairProgress {
  #backlog: RepairBacklog | null = null;
  #unproven = new Set<number>();
  #census: CensusRecord | null = null;
  #isRestored = false;
  #censusRequestedMs = 0;
  #rebuiltBytes = 0;
  #rateBytesPerSecond = 0;
  #rateBase: { readonly atMs: number; readonly bytes: number } | null = null;

  get isRestored(): boolean {
    return this.#isRestored;
  }

  /** Null until the first tour of this curator. */
  get backlog(): RepairBacklog | null {
    return this.#backlog;
  }

  get unproven(): ReadonlySet<number> {
    return this.#unproven;
  }

  get census(): CensusRecord | null {
    return this.#census;
  }

  /** Another curator may have worked meanwhile: nothing is known any more. */
  forget(): void {
    this.#isRestored = false;
    this.#backlog = null;
  }

  /** Takes over what the root group knows; `pgIds` are all groups. */
  restore(record: RepairRecord | null, pgIds: Iterable<number>): void {
    const { report = null, censusRequestedMs = 0 } = record ?? {};
    const isNew = !this.#isRestored;
    if (isNew) this.#census = report?.census ?? null;
    const startedMs = this.#census?.startedMs ?? 0;
    const isAsked = censusRequestedMs > Math.max(this.#censusRequestedMs, startedMs);
    if (isAsked || (isNew && !isProven(report))) for (const pgId of pgIds) this.doubt(pgId);
    this.#censusRequestedMs = Math.max(this.#censusRequestedMs, censusRequestedMs);
    this.#isRestored = true;
  }

  doubt(pgId: number): void {
    this.#unproven.add(pgId);
  }

  toured(backlog: RepairBacklog): void {
    this.#backlog = backlog;
    for (const pgId of backlog.groups) this.#unproven.add(pgId);
  }

  rebuilt(pgId: number, bytes: number): void {
    this.#unproven.add(pgId);
    this.#rebuiltBytes += bytes;
  }

  /** Groups that are gone need no proof. */
  keepOnly(pgIds: { has(pgId: number): boolean }): void {
    for (const pgId of this.#unproven) if (!pgIds.has(pgId)) this.#unproven.delete(pgId);
  }

  beginCensus(groupsTotal: number, nowMs: number): void {
    const counts = { groupsTotal, groupsDone: 0, blobs: 0, shards: 0, shardsMissing: 0 };
    this.#census = { startedMs: nowMs, finishedMs: null, ...counts };
  }

  /** A group, or a page of one, was read back. */
  counted(count: Pick<CensusRecord, 'blobs' | 'shards' | 'shardsMissing'>): void {
    const { blobs = 0, shards = 0, shardsMissing = 0 } = this.#census ?? {};
    this.#patchCensus({
      blobs: blobs + count.blobs,
      shards: shards + count.shards,
      shardsMissing: shardsMissing + count.shardsMissing,
    });
  }

  groupDone(pgId: number, isProven: boolean): void {
    this.#patchCensus({ groupsDone: (this.#census?.groupsDone ?? 0) + 1 });
    if (isProven) this.#unproven.delete(pgId);
  }

  endCensus(nowMs: number): void {
    this.#patchCensus({ finishedMs: nowMs });
  }

  /** Called at intervals; the rate is of the time between the calls. */
  report(holder: string, nowMs: number): RepairReport {
    const base = this.#rateBase;
    if (base !== null && nowMs > base.atMs) {
      const bytesPerSecond = (1_000 * (this.#rebuiltBytes - base.bytes)) / (nowMs - base.atMs);
      this.#rateBytesPerSecond += RATE_WEIGHT * (bytesPerSecond - this.#rateBytesPerSecond);
    }
    this.#rateBase = { atMs: nowMs, bytes: this.#rebuiltBytes };
    return {
      holder,
      shardsToDo: this.#backlog?.shards ?? 0,
      bytesToDo: this.#backlog?.bytes ?? 0,
      bytesPerSecond: Math.round(this.#rateBytesPerSecond),
      blobsAtRisk: [...(this.#backlog?.blobsAtRisk ?? [])],
      groupsUnproven: this.#unproven.size,
      census: this.#census,
    };
  }

  #patchCensus(change: Partial<CensusRecord>): void {
    if (this.#census !== null) this.#census = { ...this.#census, ...change };
  }
}
