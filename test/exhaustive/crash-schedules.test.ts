import {
  faultsAfterRival,
  interleavings,
  pairsWithMachines,
  runSchedule,
  singleFaults,
} from './crash/explore';
import type { Extent, Schedule } from './crash/explore';
import { RIVALRIES, STORIES } from './crash/stories';
import type { Story } from './crash/story';

/** Of pairs this many-th is run here; `npm run explore -- --pairs` runs all. */
const PAIRS_STRIDE = 120;
const RIVAL_FAULTS_STRIDE = 30;

const counts = { faults: 0, pairs: 0, interleavings: 0 };

async function runAll(
  story: Story,
  kind: keyof typeof counts,
  schedules: (extent: Extent) => Iterable<Schedule>,
): Promise<void> {
  const extent = await runSchedule(story, { ending: 'power' });
  for (const schedule of schedules(extent)) {
    await runSchedule(story, schedule);
    counts[kind] += 1;
  }
}

function* everyNth(schedules: Iterable<Schedule>, stride: number): Generator<Schedule> {
  let at = 0;
  for (const schedule of schedules) {
    if (at % stride === 0) yield schedule;
    at += 1;
  }
}

/** The rival as a whole between any two calls always, and cut short now and then. */
function* someInterleavings(extent: Extent): Generator<Schedule> {
  for (const schedule of interleavings(extent))
    if (schedule.rivalFates === undefined) yield schedule;
  yield* everyNth(interleavings(extent), RIVAL_FAULTS_STRIDE);
  yield* everyNth(faultsAfterRival(extent), PAIRS_STRIDE);
}

describe('every crash schedule keeps C1 to C4', () => {
  it.each(STORIES)(
    '$name: a fault at each call, a crash at each operation of each disk',
    (story) => runAll(story, 'faults', (extent) => singleFaults(extent)),
    120_000,
  );

  it.each(STORIES)(
    '$name: pairs of the two, bounded',
    (story) =>
      runAll(story, 'pairs', (extent) => everyNth(pairsWithMachines(extent), PAIRS_STRIDE)),
    120_000,
  );

  it.each(RIVALRIES)(
    '$name: the one between any two calls of the other',
    (story) => runAll(story, 'interleavings', someInterleavings),
    120_000,
  );

  it('has run as many schedules as there were when this was written', () => {
    process.stdout.write(`crash schedules: ${JSON.stringify(counts)}\n`);
    expect(counts.faults).toBeGreaterThan(500);
    expect(counts.pairs).toBeGreaterThan(40);
    expect(counts.interleavings).toBeGreaterThan(300);
  });
});
