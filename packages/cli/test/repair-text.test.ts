import type { RepairRecord, RepairReport } from '@azimuth/proto';

import { renderRepair } from '../src/output/repair-text';

const NOW_MS = 1_700_000_000_000;
const MIB = 1024 * 1024;
const CENSUS = {
  startedMs: NOW_MS - 5_000,
  finishedMs: NOW_MS,
  groupsTotal: 8,
  groupsDone: 8,
  blobs: 120,
  shards: 720,
  shardsMissing: 0,
};
const IDLE: RepairReport = {
  ...{ holder: 'curator-a', shardsToDo: 0, bytesToDo: 0, bytesPerSecond: 0 },
  ...{ blobsAtRisk: [], groupsUnproven: 0, census: CENSUS },
};

function render(report: Partial<RepairReport>, more: Partial<RepairRecord> = {}): string[] {
  const record = { reportedMs: NOW_MS, report: { ...IDLE, ...report }, censusRequestedMs: 0 };
  return renderRepair({ ...record, ...more }, NOW_MS);
}

describe('what status says of repair', () => {
  it('nothing, while nobody has reported', () => {
    expect(renderRepair(null, NOW_MS)).toEqual(['repair: no curator has reported yet']);
  });

  it('done, with the census that proves it', () => {
    expect(render({})).toEqual([
      'repair: nothing to do',
      'census: 0 shards missing, census of 120 blobs (720 shards) at 2023-11-14T22:13:20.000Z',
    ]);
  });

  it('work, rate, time left, and what is at risk', () => {
    const work = { shardsToDo: 7, bytesToDo: 60 * MIB, bytesPerSecond: 2 * MIB };
    expect(render({ ...work, blobsAtRisk: [1, 3], groupsUnproven: 2 })).toEqual([
      'repair: 7 shards (60.0 MiB) to do, at 2.0 MiB/s, about 30 s left',
      'at risk: 1 blobs survive no further node, 3 blobs survive 1 more node',
      'census: 2 placement groups wait to be read back; last: 0 shards missing, census of 120 ' +
        'blobs (720 shards) at 2023-11-14T22:13:20.000Z',
    ]);
  });

  it('a census that runs is not one that is over', () => {
    const census = { ...CENSUS, finishedMs: null, groupsDone: 2, blobs: 30, shardsMissing: 1 };
    expect(render({ census, groupsUnproven: 6 })[1]).toBe(
      'census: running, 25 %: 2 of 8 groups, 30 blobs, 1 shards missing',
    );
  });

  it('how old a report of unfinished work is', () => {
    const lines = render({ shardsToDo: 1, bytesToDo: 10 }, { reportedMs: NOW_MS - 600_000 });
    expect(lines[0]).toContain('(said 10 min ago)');
  });
});
