/**
 * A node that lost its disk, and with it its term and its vote, and comes back under its name
 * (R10, pitfall 17).
 */
import { systemRandom } from '@azimuth/common';

import { DEFAULT_RAFT_CONFIG } from '../../src/core/config';
import { CoreCluster, data, loneNode } from './core-cluster';

/** Messages between the two are lost. */
function cut(cluster: CoreCluster, ...links: readonly (readonly [string, string])[]): void {
  cluster.filter = ({ from, to }) =>
    !links.some(([a, b]) => (from === a && to === b) || (from === b && to === a));
}

describe('a voter whose disk was lost', () => {
  it('pitfall 17: helps no older leader to commit or to read while its old vote counts', () => {
    const cluster = new CoreCluster();
    cluster.elect('n2');
    cluster.propose('n2', 'a');
    // n1 votes for n3 in term 2, of which n2 hears nothing; then its disk is lost.
    cut(cluster, ['n2', 'n3'], ['n1', 'n2']);
    cluster.forgetLeader('n1');
    cluster.forgetLeader('n3');
    cluster.node('n3').campaign();
    cluster.settle();
    expect(cluster.node('n3').status()).toMatchObject({ role: 'leader', term: 2 });
    cluster.wipe('n1');
    cut(cluster, ['n2', 'n3'], ['n1', 'n3']);
    const old = cluster.node('n2');
    const { commitIndex } = old.status();
    cluster.tick(4, ['n2']);
    expect(old.role).toBe('leader');
    expect(cluster.get('n1').log.term(commitIndex)).toBe(1);

    cluster.propose('n2', 'b');
    old.readIndex();
    old.transferLeadership('n1');
    cluster.tick(4, ['n1', 'n2']);
    expect(old.status()).toMatchObject({ role: 'leader', commitIndex });
    expect(old.takeReadStates()).toEqual([]);
    expect(cluster.node('n1').status()).toMatchObject({ role: 'follower', isDamaged: true });

    // The leader of term 2 reaches everybody again, and readmits the node with the help of n2.
    cluster.filter = () => true;
    cluster.tick(8, ['n3']);
    cluster.propose('n3', 'c');
    cluster.tick(8, ['n3']);
    expect(cluster.node('n1').status()).toMatchObject({ isDamaged: false, leader: 'n3', term: 2 });
    expect(cluster.get('n1').log.hardState()).toMatchObject({ repairIndex: 0, isRejoining: false });
    for (const id of ['n1', 'n2', 'n3']) expect(cluster.appliedBy(id)).toEqual(['a', 'c']);
  });

  it('pitfall 17: counts for nothing until a majority without it has the marker', () => {
    const cluster = new CoreCluster(['n1', 'n2', 'n3', 'n4', 'n5']);
    cluster.elect('n2');
    cluster.propose('n2', 'a');
    cluster.wipe('n1');
    cluster.isolate('n4');
    cluster.isolate('n5');
    const leader = cluster.node('n2');
    const { commitIndex } = leader.status();
    cluster.propose('n2', 'b');
    cluster.tick(4, ['n1', 'n2', 'n3']);
    expect(leader.status()).toMatchObject({ role: 'leader', commitIndex });
    expect(cluster.node('n1').status().isDamaged).toBe(true);

    cluster.heal('n4');
    cluster.tick(6, ['n2']);
    expect(cluster.node('n1').status().isDamaged).toBe(false);
    expect(cluster.appliedBy('n1')).toEqual(['a', 'b']);
    // From here on it is a voter like the others.
    cluster.isolate('n3');
    cluster.propose('n2', 'c');
    cluster.tick(4, ['n2']);
    expect(cluster.appliedBy('n4')).toEqual(['a', 'b', 'c']);
  });

  it('keeps no leader in office that has no majority without it', () => {
    const cluster = new CoreCluster(['n1', 'n2', 'n3', 'n4', 'n5']);
    cluster.elect('n2');
    cluster.wipe('n1');
    // n3 to n5 reach each other and could elect, but n3 believes in n2 as long as it leads.
    cut(cluster, ['n2', 'n4'], ['n2', 'n5']);
    const leader = cluster.node('n2');
    cluster.tick(4, ['n2']);
    expect(cluster.node('n1').status().isDamaged).toBe(true);
    const { members } = leader.membership();
    expect(members.find(({ nodeId }) => nodeId === 'n1')?.isAlive).toBe(false);
    cluster.tick(2 * DEFAULT_RAFT_CONFIG.electionTimeoutTicksMin, ['n2']);
    expect(leader.role).toBe('follower');
  });

  it('counts with what it acknowledged as soon as it is readmitted', () => {
    const cluster = new CoreCluster();
    cluster.elect('n2');
    cluster.wipe('n1');
    cluster.isolate('n3');
    cluster.tick(4, ['n2']);
    const leader = cluster.node('n2');
    const { lastIndex: marker } = leader.status();
    cluster.propose('n2', 'a');
    cluster.tick(4, ['n2']);
    const { lastIndex } = leader.status();
    const ack = { success: true, prevLogIndex: 0, conflictIndex: 0, conflictTerm: 0 };
    leader.step({
      ...{ type: 'AppendEntriesResponse', from: 'n3', to: 'n2', term: 1, matchIndex: marker },
      ...{ ...ack, logDamaged: false, rejoinNonce: 0 },
    });
    expect(lastIndex).toBeGreaterThan(marker);
    expect(leader.status().commitIndex).toBe(lastIndex);
  });

  it('leaves no majority to a candidate that had its old vote', () => {
    const cluster = new CoreCluster(['n1', 'n2', 'n3', 'n4', 'n5']);
    cluster.elect('n2');
    // n3 stands in term 2, has the vote of n1, and nobody else hears of it.
    const candidacy = { term: 2, lastLogIndex: 1, lastLogTerm: 1, leadershipTransfer: true };
    const request = { type: 'RequestVote', from: 'n3', to: 'n1', ...candidacy } as const;
    cluster.isolate('n1');
    cluster.node('n1').step(request);
    expect(cluster.get('n1').persist()).toContainEqual(
      expect.objectContaining({ type: 'RequestVoteResponse', voteGranted: true }),
    );
    cluster.isolate('n3');
    cluster.wipe('n1');
    cluster.heal('n1');
    cluster.tick(6, ['n2']);
    expect(cluster.node('n1').status().isDamaged).toBe(false);
    for (const id of ['n2', 'n4', 'n5', 'n1']) {
      cluster.node(id).step({ ...request, to: id });
      expect(cluster.get(id).persist()).not.toContainEqual(
        expect.objectContaining({ type: 'RequestVoteResponse', voteGranted: true }),
      );
    }
  });

  it('names its start with the randomness that a process has', () => {
    const lost = { repairIndex: 1, isRejoining: true };
    const names = new Set<number>();
    for (let start = 0; start < 3; start += 1) {
      const { node } = loneNode([], lost, ['n1', 'n2', 'n3'], systemRandom);
      names.add(node.state.rejoinNonce);
    }
    expect(names.size).toBe(3);
    expect(names).not.toContain(0);
  });

  it('is not readmitted by word of an earlier start', () => {
    const rejoining = { currentTerm: 0, repairIndex: 1, isRejoining: true };
    const { node } = loneNode([], rejoining);
    const leader = { from: 'n2', to: 'n1', term: 1 };
    node.step({
      ...{ type: 'AppendEntries', ...leader, prevLogIndex: 0, prevLogTerm: 0, leaderCommit: 1 },
      entries: [{ term: 1, index: 1, data: data('a') }],
    });
    const counts = { leaderCommit: 1, lastLogIndex: 1, readContext: 0 };
    node.step({ type: 'Heartbeat', ...leader, ...counts, rejoinNonce: 5 });
    node.ready();
    node.advance();
    expect(node.status().isDamaged).toBe(true);
    const { rejoinNonce } = node.state;
    node.step({ type: 'Heartbeat', ...leader, ...counts, rejoinNonce });
    node.ready();
    node.advance();
    expect(node.status().isDamaged).toBe(false);
  });

  it('is not taken back by a delayed answer of its old self', () => {
    const cluster = new CoreCluster();
    cluster.elect('n2');
    cluster.wipe('n1');
    cluster.isolate('n3');
    cluster.tick(4, ['n2']);
    cluster.propose('n2', 'a');
    const leader = cluster.node('n2');
    const { commitIndex, lastIndex } = leader.status();
    expect(lastIndex).toBeGreaterThan(commitIndex);
    leader.step({
      ...{ type: 'AppendEntriesResponse', from: 'n1', to: 'n2', term: 1, success: true },
      ...{ matchIndex: lastIndex, prevLogIndex: 0, conflictIndex: 0, conflictTerm: 0 },
      ...{ logDamaged: false, rejoinNonce: 0 },
    });
    expect(leader.status().commitIndex).toBe(commitIndex);
  });
});
