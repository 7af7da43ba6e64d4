import fc from 'fast-check';

import { DEFAULT_RAFT_CONFIG } from '../../src/core/config';
import {
  configurationRecord,
  decodeConfiguration,
  encodeConfiguration,
  isConfigurationEntry,
} from '../../src/core/configuration-entry';
import { enterJoint, leaveJoint, staticConfiguration } from '../../src/core/membership';
import type { Entry, Message } from '../../src/core/message';
import { isQuorum } from '../../src/core/quorum';
import { CoreCluster, data, loneNode } from './core-cluster';

const votersOf = (cluster: CoreCluster, id: string): readonly string[] =>
  cluster.node(id).membership().configuration.voters;

/** Three voters of which n1 leads, and a learner n4 that has everything. */
function withLearner(): CoreCluster {
  const cluster = new CoreCluster();
  cluster.elect('n1');
  cluster.propose('n1', 'a');
  cluster.join('n4');
  cluster.change('n1', ['n1', 'n2', 'n3'], ['n4']);
  cluster.tick(3, ['n1']);
  return cluster;
}

function leaders(cluster: CoreCluster): string[] {
  return [...cluster.nodes.values()].filter(({ node }) => node.role === 'leader').map((n) => n.id);
}

describe('configuration entries', () => {
  it('are the same bytes for the same sets, and never look like a command', () => {
    const ids = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 5 }), { minLength: 1 });
    fc.assert(
      fc.property(ids, fc.integer({ min: 1 }), (all, seed) => {
        const voters = all.slice(0, 1 + (seed % all.length));
        const learners = all.slice(voters.length);
        const configuration = staticConfiguration(voters, learners);
        const encoded = encodeConfiguration(configuration);
        const turned = staticConfiguration(voters.toReversed(), learners.toReversed());
        expect(Buffer.from(encodeConfiguration(turned)).equals(encoded)).toBe(true);
        expect(configurationRecord(decodeConfiguration(encoded))).toEqual(
          configurationRecord(configuration),
        );
        expect(isConfigurationEntry(encoded)).toBe(true);
      }),
    );
    // The first byte of the array that every command is, and of a no-op.
    expect(isConfigurationEntry(Buffer.from([0x92, 0xc1]))).toBe(false);
    expect(isConfigurationEntry(new Uint8Array(0))).toBe(false);
  });
});

describe('changes of membership', () => {
  it('bring a learner up to date before it votes, and then make it a voter', () => {
    const cluster = withLearner();
    expect(cluster.appliedBy('n4')).toEqual(['a']);
    expect(votersOf(cluster, 'n4')).toEqual(['n1', 'n2', 'n3']);
    cluster.change('n1', ['n2', 'n3', 'n4', 'n1']);
    for (const id of ['n1', 'n2', 'n3', 'n4']) {
      expect(cluster.node(id).membership()).toMatchObject({
        configuration: { voters: ['n1', 'n2', 'n3', 'n4'], outgoing: null, learners: [] },
      });
    }
    expect(cluster.node('n1').membership().isSettled).toBe(true);
  });

  it('replace a dead voter of three, and of five, in one joint change', () => {
    for (const voters of [
      ['n1', 'n2', 'n3'],
      ['n1', 'n2', 'n3', 'n4', 'n5'],
    ]) {
      const cluster = new CoreCluster(voters);
      cluster.elect('n1');
      const dead = voters.at(-1)!;
      cluster.isolate(dead);
      cluster.join('n9');
      cluster.change('n1', voters, ['n9']);
      cluster.tick(3, ['n1']);
      cluster.change('n1', [...voters.slice(0, -1), 'n9']);
      expect(cluster.node('n1').membership().isSettled).toBe(true);
      expect(votersOf(cluster, 'n9')).toEqual([...voters.slice(0, -1), 'n9']);
      cluster.propose('n1', 'after');
      cluster.tick(3, ['n1']);
      expect(cluster.appliedBy('n9')).toContain('after');
    }
  });

  it('take a whole minority of five away at once', () => {
    const cluster = new CoreCluster(['n1', 'n2', 'n3', 'n4', 'n5']);
    cluster.elect('n1');
    cluster.change('n1', ['n1', 'n2', 'n3']);
    cluster.isolate('n2');
    cluster.propose('n1', 'two of three');
    expect(cluster.appliedBy('n1')).toEqual(['two of three']);
  });

  it('count nobody who is a learner: not for commits, reads or elections', () => {
    const cluster = withLearner();
    cluster.isolate('n2');
    cluster.isolate('n3');
    cluster.node('n1').propose(data('alone'));
    const context = cluster.node('n1').readIndex();
    cluster.settle();
    expect(cluster.appliedBy('n1')).toEqual(['a']);
    expect(
      cluster
        .node('n1')
        .takeReadStates()
        .map((read) => read.context),
    ).not.toContain(context);
    // CheckQuorum too: the answers of a learner do not keep a leader in office.
    cluster.tick(30, ['n1']);
    expect(cluster.node('n1').role).not.toBe('leader');
    cluster.tick(60, ['n4']);
    expect(cluster.node('n4')).toMatchObject({ role: 'follower', term: 1 });
  });

  it('refuse a second change before the first is done', () => {
    const cluster = withLearner();
    cluster.filter = (message) => message.type !== 'AppendEntriesResponse';
    cluster.change('n1', ['n1', 'n2']);
    expect(cluster.node('n1').changeMembership({ voters: ['n1'], learners: [] })).toBe('pending');
    expect(cluster.node('n2').changeMembership({ voters: ['n1'], learners: [] })).toBe(
      'not-leader',
    );
  });

  it('refuse sets of which no majority answers', () => {
    const cluster = new CoreCluster();
    cluster.elect('n1');
    cluster.isolate('n3');
    cluster.tick(26, ['n1', 'n2']);
    expect(cluster.node('n1').role).toBe('leader');
    expect(cluster.node('n1').changeMembership({ voters: ['n1', 'n3'], learners: [] })).toBe(
      'no-quorum',
    );
  });

  it('survive a restart: from the log, from its start, and from a snapshot', () => {
    const cluster = withLearner();
    cluster.change('n1', ['n1', 'n2', 'n4']);
    const expected = { voters: ['n1', 'n2', 'n4'], outgoing: null, learners: [] };
    cluster.get('n2').restart();
    expect(cluster.node('n2').membership().configuration).toEqual(expected);
    cluster.tick(3, ['n1']);
    cluster.compact('n2');
    cluster.get('n2').restart();
    expect(cluster.node('n2').membership()).toMatchObject({ configuration: expected });
    // A new learner gets the snapshot, and with it the configuration.
    cluster.propose('n1', 'b');
    cluster.compact('n1');
    cluster.join('n5');
    cluster.change('n1', ['n1', 'n2', 'n4'], ['n5']);
    cluster.tick(5, ['n1']);
    expect(cluster.get('n5').log.snapshotIndex()).toBeGreaterThan(0);
    expect(cluster.node('n5').membership().configuration).toEqual({
      ...expected,
      learners: ['n5'],
    });
  });

  it('are finished by the next leader (etcd confchange_v2_add_double_auto)', () => {
    const cluster = withLearner();
    // The joint entry reaches n2, and n1 dies before it can commit it.
    cluster.filter = (message) => message.to === 'n2' && message.from === 'n1';
    cluster.change('n1', ['n1', 'n2', 'n4']);
    cluster.filter = () => true;
    cluster.isolate('n1');
    expect(cluster.node('n2').membership().configuration.outgoing).toEqual(['n1', 'n2', 'n3']);
    cluster.elect('n2');
    expect(cluster.node('n2').membership()).toMatchObject({
      configuration: { voters: ['n1', 'n2', 'n4'], outgoing: null },
      isSettled: true,
    });
  });

  it('keep two disjoint majorities from deciding, whatever the sets', () => {
    const ids = ['a', 'b', 'c', 'd', 'e', 'f'];
    const set = fc.subarray(ids, { minLength: 1 });
    fc.assert(
      fc.property(set, set, fc.subarray(ids), (before, after, present) => {
        const old = staticConfiguration(before);
        const joint = enterJoint(old, { voters: after, learners: [] });
        const decides = (id: string): boolean => present.includes(id);
        const opposes = (id: string): boolean => !present.includes(id);
        if (!isQuorum(joint, decides)) return;
        expect(isQuorum(old, opposes)).toBe(false);
        expect(isQuorum(leaveJoint(joint), opposes)).toBe(false);
      }),
    );
  });
});

describe('pitfalls of membership', () => {
  it('pitfall 14: no change before an entry of the term is committed, and never a single step', () => {
    const cluster = new CoreCluster();
    // n1 is elected, and nothing it sends afterwards arrives.
    cluster.filter = (message) => message.type !== 'AppendEntries';
    cluster.elect('n1');
    expect(cluster.node('n1').changeMembership({ voters: ['n1', 'n2'], learners: [] })).toBe(
      'pending',
    );
    cluster.filter = () => true;
    cluster.tick(3);
    cluster.filter = (message) => message.type !== 'AppendEntriesResponse';
    cluster.change('n1', ['n1', 'n2']);
    // Even the removal of one node needs both majorities on its way.
    expect(cluster.node('n2').membership().configuration).toEqual({
      voters: ['n1', 'n2'],
      outgoing: ['n1', 'n2', 'n3'],
      learners: [],
    });
  });

  it.each([
    ['incoming', ['n1', 'n2']],
    ['outgoing', ['n4', 'n5']],
  ] as const)('pitfall 14: the %s half of a joint quorum elects nobody alone', (_, silent) => {
    const cluster = new CoreCluster();
    cluster.elect('n1');
    for (const id of ['n4', 'n5']) cluster.join(id);
    cluster.change('n1', ['n1', 'n2', 'n3'], ['n4', 'n5']);
    cluster.tick(3, ['n1']);
    // All five have the joint entry, nobody has it committed, and nobody leads any more.
    cluster.filter = (message) => message.type !== 'AppendEntriesResponse';
    cluster.change('n1', ['n3', 'n4', 'n5']);
    for (const node of cluster.nodes.values()) node.restart();
    cluster.filter = () => true;
    for (const id of silent) cluster.isolate(id);
    const voteAsked = (): string => {
      cluster.node('n3').campaign();
      cluster.settle();
      return cluster.node('n3').role;
    };
    // One half is won, and of the other only its own vote is there: the rest may still arrive.
    expect(voteAsked()).toBe('preCandidate');
    cluster.heal(silent[0]);
    expect(voteAsked()).toBe('leader');
    expect(cluster.node('n3').membership()).toMatchObject({
      configuration: { voters: ['n3', 'n4', 'n5'], outgoing: null },
    });
  });

  it('pitfall 15: a configuration counts from its append, and goes when its entry is truncated', () => {
    const cluster = withLearner();
    cluster.isolate('n1');
    const { node } = cluster.get('n1');
    expect(node.changeMembership({ voters: ['n1', 'n2', 'n4'], learners: [] })).toEqual(
      expect.any(Number),
    );
    expect(node.membership().configuration.outgoing).not.toBeNull();
    cluster.settle();
    cluster.elect('n2');
    cluster.propose('n2', 'another');
    cluster.heal('n1');
    cluster.tick(5);
    expect(node.membership().configuration).toEqual({
      voters: ['n1', 'n2', 'n3'],
      outgoing: null,
      learners: ['n4'],
    });
    // And it is so after a restart (etcd #7625).
    cluster.get('n1').restart();
    expect(cluster.node('n1').membership().configuration.outgoing).toBeNull();
  });

  it('pitfall 16: a removed leader steps down, does not count itself, and hands over', () => {
    const cluster = withLearner();
    const sent: Message[] = [];
    cluster.filter = (message) => sent.push(message) > 0;
    const before = cluster.node('n1').term;
    cluster.change('n1', ['n2', 'n3', 'n4']);
    expect(cluster.node('n1').role).toBe('follower');
    expect(sent.some(({ type, from }) => type === 'TimeoutNow' && from === 'n1')).toBe(true);
    const [leader] = leaders(cluster);
    expect(['n2', 'n3', 'n4']).toContain(leader);
    expect(cluster.node(leader!).term).toBe(before + 1);
    // It knows that it is out, and asks for no votes.
    expect(cluster.node('n1').membership().configuration.voters).toEqual(['n2', 'n3', 'n4']);
    cluster.isolate('n1');
    cluster.tick(60, ['n1']);
    expect(cluster.node('n1')).toMatchObject({ role: 'follower' });
    // n1 is no help to a majority any more.
    cluster.heal('n1');
    for (const id of ['n2', 'n3', 'n4']) if (id !== leader) cluster.isolate(id);
    cluster.node(leader!).propose(data('lost'));
    cluster.settle();
    expect(cluster.appliedBy(leader!)).not.toContain('lost');
  });

  it('pitfall 16: a leader that removes itself commits that without its own vote', () => {
    const cluster = new CoreCluster(['n1', 'n2', 'n3', 'n4', 'n5']);
    cluster.elect('n1');
    // Joint needs three of five and two of {2,3,4}; the end of it needs two of {2,3,4} alone.
    cluster.isolate('n5');
    cluster.filter = ({ from, to }) => !(from === 'n3' && to === 'n1');
    cluster.change('n1', ['n2', 'n3', 'n4']);
    expect(votersOf(cluster, 'n2')).toEqual(['n2', 'n3', 'n4']);
    expect(cluster.node('n1').role).toBe('follower');
  });

  it('pitfall 16: a removed node that was not told disrupts nobody', () => {
    const cluster = withLearner();
    cluster.isolate('n3');
    cluster.change('n1', ['n1', 'n2', 'n4']);
    cluster.heal('n3');
    const { term } = cluster.node('n1');
    for (let round = 0; round < 30; round += 1) {
      cluster.tick(10, ['n3']);
      cluster.tick(2, ['n1']);
    }
    expect(cluster.node('n1')).toMatchObject({ role: 'leader', term });
    expect(votersOf(cluster, 'n3')).toContain('n3');
  });

  it('pitfall 17: a node with an empty log never becomes a voter at once', () => {
    const cluster = new CoreCluster();
    cluster.elect('n1');
    cluster.join('n4');
    const target = { voters: ['n1', 'n2', 'n4'], learners: [] };
    expect(cluster.node('n1').changeMembership(target)).toBe('not-caught-up');
    // Nor does a learner that is silent.
    cluster.isolate('n4');
    cluster.change('n1', ['n1', 'n2', 'n3'], ['n4']);
    expect(cluster.node('n1').changeMembership(target)).toBe('not-caught-up');
    cluster.heal('n4');
    cluster.tick(5, ['n1']);
    cluster.change('n1', target.voters);
    expect(cluster.node('n1').membership().isSettled).toBe(true);
  });

  it('pitfall 17: a node that has not joined elects nobody and is nobody', () => {
    const node = new CoreCluster(['n1']);
    node.join('n4');
    node.tick(60, ['n4']);
    expect(node.node('n4')).toMatchObject({ role: 'follower', term: 0 });
  });

  it('pitfall 18: a joint phase whose leader is lost does not end in a deadlock (openraft #1796)', () => {
    const cluster = withLearner();
    cluster.filter = ({ type, to }) => !(type === 'AppendEntries' && to !== 'n2');
    cluster.change('n1', ['n2', 'n3', 'n4']);
    cluster.filter = () => true;
    // n1, a voter of the old set alone, is gone; of each set two are left.
    cluster.isolate('n1');
    cluster.tick(80, ['n2', 'n3', 'n4']);
    const [leader] = leaders(cluster).filter((id) => id !== 'n1');
    expect(leader).toBeDefined();
    expect(cluster.node(leader!).membership().isSettled).toBe(true);
    cluster.propose(leader!, 'after');
  });

  it('pitfall 18: a voter with a larger term that missed the change is heard and brought back', () => {
    const cluster = withLearner();
    cluster.isolate('n2');
    cluster.change('n1', ['n1', 'n2', 'n4']);
    for (let round = 0; round < 3; round += 1) cluster.tick(25, ['n2']);
    cluster.heal('n2');
    cluster.tick(30);
    expect(votersOf(cluster, 'n2')).toEqual(['n1', 'n2', 'n4']);
    expect(cluster.node('n2').leader).toBe(leaders(cluster)[0]);
  });

  it('pitfall 18: a voter votes for a candidate of a configuration that it does not know yet', () => {
    const { node } = loneNode([]);
    node.step({
      ...{ type: 'RequestVote', from: 'n9', to: 'n1', term: 3 },
      ...{ lastLogIndex: 5, lastLogTerm: 2, leadershipTransfer: false },
    });
    expect(node.ready().messagesAfterSync).toMatchObject([{ voteGranted: true, to: 'n9' }]);
  });

  it('pitfall 18: who alone has the entry that removes it may lead once more (thesis, 4.2.2)', () => {
    const cluster = new CoreCluster(['n1']);
    cluster.elect('n1');
    cluster.join('n2');
    cluster.change('n1', ['n1'], ['n2']);
    cluster.tick(3, ['n1']);
    // Both have the joint phase. n1 dies before it can send the end of it.
    const isEnd = ({ data: bytes }: Entry): boolean =>
      isConfigurationEntry(bytes) && decodeConfiguration(bytes).outgoing === null;
    cluster.filter = (message) => message.type !== 'AppendEntries' || !message.entries.some(isEnd);
    cluster.change('n1', ['n2']);
    cluster.get('n1').restart();
    cluster.filter = () => true;
    expect(cluster.node('n2').membership().isSettled).toBe(false);
    cluster.tick(60);
    expect(leaders(cluster)).toEqual(['n2']);
    expect(cluster.node('n2').membership()).toMatchObject({ isSettled: true });
  });

  it('pitfall 18: a learner that was not told of its promotion does not believe in its leader for ever', () => {
    const cluster = withLearner();
    const { electionTimeoutTicksMin, electionTimeoutTicksMax } = DEFAULT_RAFT_CONFIG;
    const learner = cluster.get('n4');
    const { term, lastIndex } = learner.node.status();
    for (let tick = 1; tick <= 3 * electionTimeoutTicksMax; tick += 1) {
      learner.node.tick();
      if (tick < electionTimeoutTicksMin) continue;
      const envelope = { from: 'n1', to: 'n4', term: term + 1, leadershipTransfer: false };
      const log = { lastLogIndex: lastIndex, lastLogTerm: term };
      learner.node.step({ type: 'PreVote', ...envelope, ...log });
      expect(learner.persist()).toMatchObject([{ type: 'PreVoteResponse', voteGranted: true }]);
    }
  });
});
