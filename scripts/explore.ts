/**
 * Runs crash schedules of the data path and the curator: every single fault, or every pair. With
 * `--raft` it takes the core of Raft through every state within bounds instead: seconds with
 * `quick`, minutes with `long`.
 *
 * Usage: npm run explore -- [--story NAME] [--schedule JSON] [--pairs] [--time-limit SECONDS]
 *        npm run explore -- --raft quick|long [--story NAME] [--states-max COUNT]
 */
import { parseArgs } from 'node:util';

import {
  faultsAfterRival,
  interleavings,
  pairsWithMachines,
  runSchedule,
  singleFaults,
} from '../test/exhaustive/crash/explore';
import type { Extent, Schedule } from '../test/exhaustive/crash/explore';
import { exploreRaft } from '../test/exhaustive/raft/explore-raft';
import { LONG_INSTANCES, QUICK_INSTANCES } from '../test/exhaustive/raft/raft-instances';
import { RIVALRIES, STORIES } from '../test/exhaustive/crash/stories';
import type { Story } from '../test/exhaustive/crash/story';
import { containsName, namedChoices } from './named-choices';
import { wholeNumberOption } from './number-option';

const EXTENTS = [
  { name: 'quick', instances: QUICK_INSTANCES },
  { name: 'long', instances: LONG_INSTANCES },
];

function* schedulesOf(story: Story, extent: Extent, isPairs: boolean): Generator<Schedule> {
  if (story.rival === undefined) {
    yield* singleFaults(extent, true);
    if (isPairs) yield* pairsWithMachines(extent);
  } else {
    yield* interleavings(extent);
    if (isPairs) yield* faultsAfterRival(extent);
  }
}

/** @throws RaftPropertyError with the shortest way to where a property does not hold. */
function exploreRaftCore(extent: string, story: string | undefined, statesMax: number): void {
  const instances = namedChoices('raft', extent, EXTENTS).flatMap((each) => each.instances);
  for (const { name, bounds } of namedChoices('story', story, instances, containsName)) {
    const startMs = performance.now();
    const found = exploreRaft(bounds, statesMax);
    const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
    process.stdout.write(`${name}: ${JSON.stringify(found)} in ${seconds} s\n`);
  }
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      story: { type: 'string' },
      schedule: { type: 'string' },
      pairs: { type: 'boolean', default: false },
      'time-limit': { type: 'string', default: '3600' },
      raft: { type: 'string' },
      'states-max': { type: 'string', default: '8000000' },
    },
  });
  const statesMax = wholeNumberOption('states-max', values['states-max'], 1);
  const limitS = wholeNumberOption('time-limit', values['time-limit'], 1);
  if (values.raft !== undefined) {
    exploreRaftCore(values.raft, values.story, statesMax);
    return;
  }
  const endMs = performance.now() + limitS * 1000;
  const chosen = namedChoices('story', values.story, [...STORIES, ...RIVALRIES]);
  let total = 0;
  for (const story of chosen) {
    const startMs = performance.now();
    let count = 0;
    if (values.schedule === undefined) {
      const extent = await runSchedule(story, { ending: 'power' });
      for (const schedule of schedulesOf(story, extent, values.pairs)) {
        if (performance.now() > endMs) break;
        await runSchedule(story, schedule);
        count += 1;
      }
    } else {
      await runSchedule(story, JSON.parse(values.schedule) as Schedule);
      count = 1;
    }
    total += count;
    const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
    process.stdout.write(`${story.name}: ${String(count)} schedules in ${seconds} s\n`);
  }
  process.stdout.write(`${String(total)} schedules\n`);
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
