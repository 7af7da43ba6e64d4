import { Actor } from './actor';
import type { FateOfCall } from './actor';
import { CrashCluster } from './crash-cluster';
import { checkAtRest } from './rest';
import { perform } from './story';
import type { Story } from './story';

/** Everything that happens in one run beside what the story says. */
export interface Schedule {
  readonly fates?: readonly FateOfCall[];
  /** The machine dies within that operation of its disk, counted from the beginning of the act. */
  readonly disk?: { readonly nodeId: string; readonly operation: number };
  /** The rival runs before this call of the act; absent: after all of them. */
  readonly rivalAt?: number;
  readonly rivalFates?: readonly FateOfCall[];
  /** What the whole cluster goes through in the end. */
  readonly ending: 'process' | 'power';
}

/** What there is to enumerate in a story. */
export interface Extent {
  readonly calls: number;
  readonly rivalCalls: number;
  readonly operations: ReadonlyMap<string, number>;
}

export class CrashScheduleError extends Error {
  override readonly name = 'CrashScheduleError';

  constructor(story: string, schedule: Schedule, trace: readonly string[], cause: unknown) {
    const what = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
    const replay = `npm run explore -- --story ${story} --schedule '${JSON.stringify(schedule)}'`;
    super(
      `${story} ${JSON.stringify(schedule)} · replay: ${replay}\n${trace.join('\n')}\n${what}`,
      {
        cause,
      },
    );
  }
}

/** @throws CrashScheduleError when an invariant does not hold at the end. */
export async function runSchedule(story: Story, schedule: Schedule): Promise<Extent> {
  const actor = new Actor('act', schedule.fates, schedule.rivalAt ?? null);
  const rival = new Actor('rival', schedule.rivalFates);
  try {
    const cluster = await CrashCluster.start();
    await story.prepare(cluster);
    for (const { nodeId, disk } of cluster.machines) {
      const { operation = 0 } = schedule.disk?.nodeId === nodeId ? schedule.disk : {};
      disk.inject(...(operation > 0 ? [{ atOperation: operation, kind: 'crash' as const }] : []));
    }
    await actTogether(cluster, story, { actor, rival });
    const operations = new Map(
      cluster.machines.map(({ nodeId, disk }) => [nodeId, disk.operationCount]),
    );
    if (story.tidy !== undefined) await perform(cluster, story.tidy);
    await checkAtRest(cluster, schedule.ending);
    return { calls: actor.calls, rivalCalls: rival.calls, operations };
  } catch (error) {
    const trace = [...actor.trace, ...rival.trace.map((line) => `rival ${line}`)];
    throw new CrashScheduleError(story.name, schedule, trace, error);
  }
}

async function actTogether(
  cluster: CrashCluster,
  story: Story,
  { actor, rival }: { readonly actor: Actor; readonly rival: Actor },
): Promise<void> {
  const { clock } = cluster;
  const run = watch(story.act(cluster, actor));
  const runTo = async (isThere: () => boolean): Promise<void> => {
    await clock.runUntil(() => {
      cluster.noticeCrashes();
      return isThere();
    }, ACT_MS_MAX);
  };
  await runTo(() => run.isSettled || actor.isPaused);
  if (story.rival !== undefined) {
    clock.leap(story.leapMs ?? 0);
    const other = watch(story.rival(cluster, rival));
    await runTo(() => other.isSettled);
    await other.promise;
  }
  actor.resume();
  await runTo(() => run.isSettled);
  await run.promise;
}

interface Watched {
  readonly promise: Promise<void>;
  isSettled: boolean;
}

function watch(promise: Promise<void>): Watched {
  const watched: Watched = { promise, isSettled: false };
  const mark = (): void => {
    watched.isSettled = true;
  };
  promise.then(mark, mark);
  return watched;
}

const ACT_MS_MAX = 300_000;

const ENDINGS = ['power', 'process'] as const;
const FATES = ['crash', 'lose-request', 'lose-reply'] as const;

/**
 * Every schedule with one fault: at each call of the act, and at each operation of each disk, where
 * the ending is one after the other, or with `isBoth` each.
 */
export function* singleFaults({ calls, operations }: Extent, isBoth = false): Generator<Schedule> {
  for (const ending of ENDINGS) yield { ending };
  for (const fate of FATES) {
    for (let call = 1; call <= calls; call += 1) {
      yield { fates: [{ call, fate }], ending: endingOf(call) };
    }
  }
  for (const [nodeId, count] of operations) {
    for (let operation = 1; operation <= count; operation += 1) {
      const endings = isBoth ? ENDINGS : [endingOf(operation)];
      for (const ending of endings) yield { disk: { nodeId, operation }, ending };
    }
  }
}

/** Every pair of a fault of the act and a crash of a machine. */
export function* pairsWithMachines({ calls, operations }: Extent): Generator<Schedule> {
  for (const fate of FATES) {
    for (let call = 1; call <= calls; call += 1) {
      for (const [nodeId, count] of operations) {
        for (let operation = 1; operation <= count; operation += 1) {
          const ending = endingOf(call + operation);
          yield { fates: [{ call, fate }], disk: { nodeId, operation }, ending };
        }
      }
    }
  }
}

/** The rival between any two calls of the act, as a whole and cut short at each of its own calls. */
export function* interleavings({ calls, rivalCalls }: Extent): Generator<Schedule> {
  for (let rivalAt = 1; rivalAt <= calls + 1; rivalAt += 1) {
    yield { rivalAt, ending: endingOf(rivalAt) };
  }
  for (let rivalAt = 1; rivalAt <= calls + 1; rivalAt += 1) {
    for (let call = 1; call <= rivalCalls; call += 1) {
      const ending = endingOf(call + rivalAt);
      yield { rivalAt, rivalFates: [{ call, fate: 'crash' }], ending };
    }
  }
}

/** Every pair of a fault of the act at or after the point where the rival ran. */
export function* faultsAfterRival({ calls }: Extent): Generator<Schedule> {
  for (let rivalAt = 1; rivalAt <= calls; rivalAt += 1) {
    for (let call = rivalAt; call <= calls; call += 1) {
      for (const fate of FATES) {
        yield { rivalAt, fates: [{ call, fate }], ending: endingOf(call) };
      }
    }
  }
}

function endingOf(number: number): 'power' | 'process' {
  return ENDINGS[number % ENDINGS.length] ?? 'power';
}
