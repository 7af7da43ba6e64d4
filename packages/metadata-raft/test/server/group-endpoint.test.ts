import { seededRandom, systemClock } from '@azimuth/common';

import type { RaftGroup } from '../../src/driver/state-machine';
import { GroupEndpoint } from '../../src/server/group-endpoint';
import {
  BUCKET_ID,
  draftOf,
  IndexDriver,
  inlineData,
  START_MS,
} from '../state-machine/index-fixture';
import type { IndexMachine } from '../state-machine/index-fixture';

/** A group of one node, that leads and applies at once. */
function groupOver(machine: IndexMachine): RaftGroup {
  const unused = (): never => {
    throw new Error('not asked');
  };
  return {
    propose: async (data) => {
      const entry = { index: machine.lastApplied() + 1, term: 1, data };
      return (await machine.apply([entry]))[0];
    },
    readIndex: () => Promise.resolve(),
    status: () => {
      const indexes = { commitIndex: 0, lastApplied: 0 };
      return {
        role: 'leader',
        term: 1,
        leader: 'm1',
        isDamaged: false,
        isTermApplied: true,
        ...indexes,
      };
    },
    leader: () => 'm1',
    onLeadershipChange: () => () => undefined,
    transferLeadership: unused,
    membership: unused,
    changeMembership: unused,
  };
}

const COMMIT = {
  ...{ bucketId: BUCKET_ID, key: 'a', versioning: 'unversioned', precondition: null },
  draft: draftOf('a', 1, 'e'),
  data: inlineData('x'),
};

describe('a group as its leader uses it', () => {
  it('goes on with commands of its own after a leader whose clock was ahead', async () => {
    const driver = await IndexDriver.open();
    await driver.run('CommitVersion', COMMIT);
    const { machine } = driver;
    const clock = { ...systemClock, wallMs: () => START_MS - 3_600_000 };
    const common = { clock, random: seededRandom(1) };
    const endpoint = new GroupEndpoint({
      ...common,
      ...{ name: 'index-0', machine, group: groupOver(machine) },
    });
    await expect(endpoint.propose('CommitVersion', COMMIT)).resolves.toBeDefined();
    expect(endpoint.nowMs()).toBeGreaterThanOrEqual(START_MS);
  });
});
