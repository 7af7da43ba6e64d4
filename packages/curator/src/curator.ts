import { WATCH_AGE_MAX_MS } from '@azimuth/clients';
import { AssertionError, hasCode, mapLimited, StoreError } from '@azimuth/common';
import { DEFAULT_GROUP_PLAN_OPTIONS } from '@azimuth/placement';

import { indexGroups } from './curator-context';
import type { CuratorContext } from './curator-context';
import { RetrySchedule } from './retry-schedule';
import { backfillGroup, groupsToBackfill } from './tasks/backfill';
import { CensusSchedule, takeCensus } from './tasks/census';
import { collectGarbage } from './tasks/collect-garbage';
import { collectOrphans, OrphanCandidates } from './tasks/collect-orphans';
import { emptyGroups } from './tasks/empty-groups';
import { finishBucketDeletions } from './tasks/finish-bucket-deletion';
import { proveGroups } from './tasks/prove-groups';
import { repairOutbox } from './tasks/repair-outbox';
import { collectStrays } from './tasks/collect-strays';
import { confirmDrainedDisks } from './tasks/leaving-disks';
import { reportFindings } from './tasks/report-findings';
import { ProgressReporter } from './tasks/report-progress';
import { restripeOutbox } from './tasks/restripe-outbox';
import { retireGroups, SealedGroups } from './tasks/retire-groups';

const RETRY_DELAY_MS = 5_000;
const BACKFILLS_IN_PARALLEL = DEFAULT_GROUP_PLAN_OPTIONS.backfillsMax;
const FINDING_AGAIN_MS = 10 * 60_000;

interface Task {
  readonly name: string;
  readonly intervalMs: number;
  run(context: CuratorContext): Promise<void>;
}

/**
 * Runs every task again and again, each in its own loop, until the context's signal aborts. A task
 * that fails is logged and runs again soon; tasks are idempotent, so are crashes.
 */
export async function runTasks(context: CuratorContext): Promise<void> {
  const tasks = createTasks(context);
  await Promise.all(tasks.map((task) => runPeriodically(context, task)));
}

async function runPeriodically(context: CuratorContext, task: Task): Promise<void> {
  const { clock, logger, metrics, signal } = context;
  while (!signal.aborted) {
    let pauseMs = task.intervalMs;
    try {
      requireFreshView(context);
      await task.run(context);
      metrics.taskRuns.inc({ task: task.name, outcome: 'done' });
    } catch (error) {
      if (error instanceof AssertionError) throw error;
      if (hasEnded(signal)) return;
      metrics.taskRuns.inc({ task: task.name, outcome: 'failed' });
      pauseMs = Math.min(pauseMs, RETRY_DELAY_MS);
      const isExpected = hasCode(error, 'UNAVAILABLE', 'TIMEOUT', 'NOT_LEADER', 'OVERLOADED');
      if (isExpected) logger.info({ task: task.name, error }, 'a task could not run to its end');
      else logger.error({ task: task.name, error }, 'a task failed');
    }
    await clock.sleep(pauseMs, signal).catch(() => undefined);
  }
}

/** The compiler takes `aborted` for constant between two awaits. */
function hasEnded(signal: AbortSignal): boolean {
  return signal.aborted;
}

/** Placement decisions need the placement of now. */
function requireFreshView({ view }: CuratorContext): void {
  if (view.ageMs() > WATCH_AGE_MAX_MS) throw new StoreError('UNAVAILABLE', { view: 'stale' });
}

function createTasks(context: CuratorContext): readonly Task[] {
  const repairs = new RetrySchedule(context.clock, RETRY_DELAY_MS);
  const restripes = new RetrySchedule(context.clock, RETRY_DELAY_MS);
  const departures = new RetrySchedule(context.clock, RETRY_DELAY_MS);
  const findings = new RetrySchedule(context.clock, FINDING_AGAIN_MS);
  const census = new CensusSchedule(context.settings.censusIntervalMs);
  const orphanTours = new CensusSchedule(context.settings.censusIntervalMs);
  const strayTours = new CensusSchedule(context.settings.censusIntervalMs);
  const candidates = new OrphanCandidates();
  const sealed = new SealedGroups();
  const reporter = new ProgressReporter();
  context.progress.forget();
  return [
    { name: 'repair', intervalMs: 1_000, run: (c) => repairOutbox(c, repairs) },
    { name: 'proof', intervalMs: 2_000, run: proveGroups },
    { name: 'progress', intervalMs: 2_000, run: (c) => reporter.report(c) },
    { name: 'backfill', intervalMs: 500, run: runBackfills },
    { name: 'drained', intervalMs: 2_000, run: confirmDrainedDisks },
    { name: 'strays', intervalMs: 60_000, run: (c) => runStrayTours(c, strayTours) },
    { name: 'census', intervalMs: 1_000, run: (c) => runCensus(c, census) },
    { name: 'restripe', intervalMs: 2_000, run: (c) => restripeOutbox(c, restripes) },
    { name: 'empty', intervalMs: 2_000, run: (c) => emptyGroups(c, departures) },
    { name: 'garbage', intervalMs: 5_000, run: collectGarbage },
    { name: 'orphans', intervalMs: 60_000, run: (c) => runOrphanTours(c, orphanTours, candidates) },
    { name: 'findings', intervalMs: 5_000, run: (c) => reportFindings(c, findings) },
    { name: 'buckets', intervalMs: 30_000, run: finishBucketDeletions },
    { name: 'retire', intervalMs: 5_000, run: (c) => retireGroups(c, sealed) },
    { name: 'count', intervalMs: 2_000, run: countOutboxes },
  ];
}

/** A few groups at a time, as the planner starts them; one that cannot be moved stops no other. */
async function runBackfills(context: CuratorContext): Promise<void> {
  await mapLimited(groupsToBackfill(context), BACKFILLS_IN_PARALLEL, async (group) => {
    await backfillGroup(context, group).catch((error: unknown) => {
      context.signal.throwIfAborted();
      context.logger.info({ pgId: group.pgId, error }, 'a slot could not be moved yet');
    });
  });
}

async function runCensus(context: CuratorContext, schedule: CensusSchedule): Promise<void> {
  for (const group of schedule.due(context)) {
    const { blobs, reportedShards } = await takeCensus(context, group);
    schedule.done(context, group.pgId);
    if (reportedShards === 0) continue;
    context.logger.info({ pgId: group.pgId, blobs, reportedShards }, 'a census found gaps');
  }
}

async function runOrphanTours(
  context: CuratorContext,
  schedule: CensusSchedule,
  candidates: OrphanCandidates,
): Promise<void> {
  for (const group of schedule.due(context)) {
    await collectOrphans(context, group, candidates);
    schedule.done(context, group.pgId);
  }
}

async function runStrayTours(context: CuratorContext, schedule: CensusSchedule): Promise<void> {
  for (const group of schedule.due(context)) {
    await collectStrays(context, group);
    schedule.done(context, group.pgId);
  }
}

async function countOutboxes(context: CuratorContext): Promise<void> {
  const { metadata, metrics, signal } = context;
  const sum = { repair: 0, garbage: 0, restripe: 0, missing: 0 };
  for (const group of indexGroups(context)) {
    const counts = await metadata.queryIndex(group, 'CountOutbox', {}, { signal });
    sum.repair += counts.repairEntries;
    sum.garbage += counts.garbageEntries;
    sum.restripe += counts.restripeEntries;
    sum.missing += counts.missingShards;
  }
  metrics.outboxEntries.set({ kind: 'repair' }, sum.repair);
  metrics.outboxEntries.set({ kind: 'garbage' }, sum.garbage);
  metrics.outboxEntries.set({ kind: 'restripe' }, sum.restripe);
  metrics.missingShards.set(sum.missing);
}
