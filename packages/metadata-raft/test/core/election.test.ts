import { DEFAULT_RAFT_CONFIG } from '../../src/core/config';
import { CoreCluster, loneNode } from './core-cluster';

const NOTHING = { group: 'g', hardState: null, snapshot: null, entries: [] } as const;

const voteRequest = {
  type: 'RequestVote',
  from: 'n2',
  to: 'n1',
  term: 5,
  lastLogIndex: 3,
  lastLogTerm: 3,
  leadershipTransfer: false,
} as const;

describe('elections', () => {
  it('elects one leader, which commits a no-op of its term (paper, section 8)', () => {
    const cluster = new CoreCluster();
    cluster.elect('n1');
    expect(cluster.node('n1').status()).toMatchObject({ role: 'leader', term: 1, commitIndex: 1 });
    expect(cluster.node('n2')).toMatchObject({ role: 'follower', leader: 'n1' });
  });

  it('a leader says that its state is of today only once its no-op is applied', () => {
    const alone = new CoreCluster(['n1']).nodes.get('n1')!;
    const { node } = alone;
    expect(node.status().isTermApplied).toBe(false);
    node.campaign();
    while (node.hasReady) alone.sync();
    expect(node.status()).toMatchObject({ role: 'leader', commitIndex: 1, isTermApplied: false });
    alone.persist();
    expect(node.status().isTermApplied).toBe(true);
  });

  it('elects within two maximal time-outs when nobody has led yet', () => {
    const cluster = new CoreCluster();
    cluster.tick(40);
    const leaders = [...cluster.nodes.values()].filter(({ node }) => node.role === 'leader');
    expect(leaders).toHaveLength(1);
  });

  it('keeps a lagging node from deposing the leader (thesis, section 9.6; pitfall 21)', () => {
    const cluster = new CoreCluster();
    cluster.elect('n1');
    cluster.isolate('n3');
    cluster.propose('n1', 'x');
    cluster.tick(100, ['n3']);
    cluster.heal('n3');
    cluster.tick(1, ['n3']);
    expect(cluster.node('n1').role).toBe('leader');
    expect(cluster.node('n3').term).toBe(cluster.node('n1').term);
  });

  it('gives one vote a term, also across a restart (pitfall 5)', () => {
    const node = loneNode([{ index: 1, term: 1, data: Buffer.from('a') }]);
    node.node.step(voteRequest);
    expect(node.persist()).toMatchObject([{ type: 'RequestVoteResponse', voteGranted: true }]);
    node.restart();
    node.node.step({ ...voteRequest, from: 'n3' });
    expect(node.persist()).toMatchObject([{ voteGranted: false }]);
    node.node.step(voteRequest);
    expect(node.persist()).toMatchObject([{ voteGranted: true }]);
  });

  it('answers a vote only with what is durable (pitfall 5)', () => {
    const { node } = loneNode([]);
    node.step({ ...voteRequest, lastLogIndex: 0, lastLogTerm: 0 });
    const ready = node.ready();
    expect(ready.hardState).toMatchObject({ currentTerm: 5, votedFor: 'n2' });
    expect(ready.messages).toEqual([]);
    expect(ready.messagesAfterSync).toMatchObject([{ voteGranted: true }]);
  });

  it('counts its own vote only when it is durable (pitfall 6)', () => {
    const lone = loneNode([], {}, ['n1']);
    lone.node.campaign();
    lone.sync(() => expect(lone.node.role).toBe('preCandidate'));
    lone.sync(() => expect(lone.node.role).toBe('candidate'));
    expect(lone.node.role).toBe('leader');
    // And the no-op is not committed before it is written.
    lone.sync(() => expect(lone.node.status().commitIndex).toBe(0));
    expect(lone.node.status().commitIndex).toBe(1);
  });

  it('refuses a candidate whose log is behind (paper, section 5.4.1)', () => {
    const entries = [1, 2, 3].map((index) => ({ index, term: 4, data: Buffer.from('a') }));
    const node = loneNode(entries);
    node.node.step(voteRequest);
    expect(node.persist()).toMatchObject([{ voteGranted: false }]);
    node.node.step({ ...voteRequest, lastLogTerm: 4 });
    expect(node.persist()).toMatchObject([{ voteGranted: true }]);
  });

  it('refuses the pre-vote of a candidate whose log is behind (thesis, section 9.6)', () => {
    const node = loneNode([{ index: 1, term: 2, data: Buffer.from('a') }]);
    const preVote = { type: 'PreVote', from: 'n2', to: 'n1', term: 3 } as const;
    node.node.step({ ...preVote, lastLogIndex: 5, lastLogTerm: 1, leadershipTransfer: false });
    expect(node.persist()).toMatchObject([{ type: 'PreVoteResponse', voteGranted: false }]);
    node.node.step({ ...preVote, lastLogIndex: 1, lastLogTerm: 2, leadershipTransfer: false });
    expect(node.persist()).toMatchObject([{ type: 'PreVoteResponse', voteGranted: true }]);
  });

  it('abstains and does not campaign with a damaged log (pitfall 9)', () => {
    const node = loneNode([], { repairIndex: 5 });
    node.node.step(voteRequest);
    node.node.step({ ...voteRequest, type: 'PreVote', term: 6 });
    expect(node.persist()).toMatchObject([{ voteGranted: false }, { voteGranted: false }]);
    for (let n = 0; n < 100; n += 1) node.node.tick();
    expect(node.persist()).toEqual([]);
  });

  describe('a dead leader', () => {
    const counts = { leaderCommit: 0, lastLogIndex: 5, readContext: 0, rejoinNonce: 0 };
    const heartbeat = { type: 'Heartbeat', from: 'n2', to: 'n1', term: 3, ...counts } as const;
    const { electionTimeoutTicksMin } = DEFAULT_RAFT_CONFIG;

    it.each([
      ['whole', loneNode([])],
      ['damaged', loneNode([], { repairIndex: 5 })],
      ['not a voter', loneNode([], {}, ['n2', 'n3'])],
    ])('is not named once it is silent for an election time-out, by who is %s', (_, { node }) => {
      node.step(heartbeat);
      for (let n = 1; n < electionTimeoutTicksMin; n += 1) node.tick();
      expect([node.leader, node.status().leader]).toEqual(['n2', 'n2']);
      node.tick();
      expect([node.leader, node.status().leader]).toEqual([null, null]);
      node.step(heartbeat);
      expect(node.leader).toBe('n2');
    });

    it('is named by nobody where the rest is damaged and cannot elect another', () => {
      const cluster = new CoreCluster();
      cluster.elect('n1');
      const { currentTerm } = cluster.node('n2').state;
      const damaged = { currentTerm, votedFor: null, repairIndex: 9, isRejoining: false };
      cluster.get('n2').log.apply({ ...NOTHING, hardState: damaged });
      cluster.get('n2').restart();
      cluster.filter = ({ type }) => type !== 'AppendEntries';
      cluster.tick(4);
      expect(cluster.node('n2').leader).toBe('n1');
      cluster.isolate('n1');
      cluster.tick(100);
      expect(['n2', 'n3'].map((id) => cluster.node(id).leader)).toEqual([null, null]);
    });

    it('but a leader names itself however long it hears nobody (that is for CheckQuorum)', () => {
      const cluster = new CoreCluster();
      cluster.elect('n1');
      for (let n = 0; n < 100; n += 1) {
        cluster.tick();
        expect(cluster.node('n1').leader).toBe('n1');
      }
    });
  });

  it('steps down without a quorum (CheckQuorum; pitfall 19)', () => {
    const cluster = new CoreCluster();
    cluster.elect('n1');
    cluster.isolate('n1');
    cluster.tick(30, ['n1']);
    expect(cluster.node('n1').role).not.toBe('leader');
  });

  it('makes progress with a permanent one-way link (pitfall 20)', () => {
    const cluster = new CoreCluster();
    cluster.elect('n1');
    // n1 hears nobody, but its heartbeats arrive.
    cluster.filter = (message) => message.to !== 'n1';
    cluster.tick(100);
    const leader = [...cluster.nodes.values()].find(
      ({ id, node }) => id !== 'n1' && node.role === 'leader',
    );
    expect(leader).toBeDefined();
  });

  it('frees a node with a larger term and a shorter log (pitfall 18)', () => {
    const cluster = new CoreCluster();
    cluster.elect('n1');
    cluster.isolate('n3');
    cluster.propose('n1', 'x');
    const ahead = { currentTerm: 9, votedFor: null, repairIndex: 0, isRejoining: false };
    cluster.get('n3').log.apply({ group: 'g', hardState: ahead, snapshot: null, entries: [] });
    cluster.get('n3').restart();
    cluster.heal('n3');
    cluster.tick(100);
    const leader = [...cluster.nodes.values()].find(({ node }) => node.role === 'leader');
    expect(leader?.node.term).toBeGreaterThan(9);
    cluster.propose(leader!.id, 'y');
    cluster.tick(4);
    for (const id of cluster.nodes.keys()) expect(cluster.appliedBy(id)).toEqual(['x', 'y']);
  });

  it('hands leadership to an up-to-date node at once (thesis, section 3.10; pitfall 22)', () => {
    const cluster = new CoreCluster();
    cluster.elect('n1');
    cluster.propose('n1', 'x');
    expect(cluster.node('n1').transferLeadership('n2')).toBeNull();
    expect(cluster.node('n1').propose(Buffer.from('y'))).toEqual({ refused: 'transferring' });
    cluster.settle();
    expect(cluster.node('n2').role).toBe('leader');
    expect(cluster.node('n1').role).toBe('follower');
  });

  it('takes proposals again when a transfer fails (pitfall 22)', () => {
    const cluster = new CoreCluster();
    cluster.elect('n1');
    cluster.isolate('n2');
    cluster.node('n1').transferLeadership('n2');
    cluster.tick(13, ['n1']);
    cluster.propose('n1', 'x');
    expect(cluster.appliedBy('n1')).toEqual(['x']);
  });
});
