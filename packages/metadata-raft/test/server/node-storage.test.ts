import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { NO_FAULTS, silentLogger, systemClock } from '@azimuth/common';
import type { Faults } from '@azimuth/common';

import { openMachine } from '../../src/server/node-storage';
import { IndexCommandSet } from '../../src/state-machine/index-commands';
import { BUCKET_ID, draftOf, IndexDriver, inlineData } from '../state-machine/index-fixture';
import type { IndexMachine } from '../state-machine/index-fixture';

/** Larger than what stays in the ordered store. */
const BODY = 'x'.repeat(700);

let directory: string;
let faults: Faults;
let machine: IndexMachine;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'azimuth-node-storage-'));
  faults = NO_FAULTS;
  const options = {
    ...{ dataDirectory: directory, settings: { indexGroups: 1 }, scrubPeriodMs: 1_000_000 },
    ...{ clock: systemClock, logger: silentLogger },
    faults: { current: () => faults, close: () => undefined },
  };
  machine = await openMachine(
    options,
    'index-0',
    (records, counters) => new IndexCommandSet(records, counters),
  );
});

afterEach(async () => {
  faults = NO_FAULTS;
  await machine.close();
  rmSync(directory, { recursive: true, force: true });
});

function put(key: string): ReturnType<IndexDriver['run']> {
  return new IndexDriver(machine).run('CommitVersion', {
    ...{ bucketId: BUCKET_ID, key, versioning: 'unversioned', precondition: null },
    ...{ draft: draftOf(key, BODY.length, 'e'), data: inlineData(BODY) },
  });
}

describe('the disk of a metadata node that is told to fail', () => {
  it.each([
    ['fails', { diskErrors: 'write' }],
    ['is full', { isDiskFull: true }],
  ] as const)('holds the value files, too: it %s', async (_what, changes) => {
    expect(await put('before')).toMatchObject({ ok: true });
    faults = { ...NO_FAULTS, ...changes };
    await expect(put('meanwhile')).rejects.toMatchObject({ code: 'DISK_FENCED' });
  });
});
