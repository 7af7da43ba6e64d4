import fc from 'fast-check';

import { DEFAULT_RAFT_CONFIG } from '../../src/core/config';
import { LogView } from '../../src/core/log-view';
import { enterJoint, leaveJoint, staticConfiguration } from '../../src/core/membership';
import type { AppendEntries, Entry } from '../../src/core/message';
import { Progress } from '../../src/core/progress';
import { isQuorum, quorumIndex, voteOutcome } from '../../src/core/quorum';
import { MemoryGroupLog } from '../../src/log/memory-log';
import { CoreCluster, data, loneNode } from './core-cluster';

const MEMBERS = staticConfiguration(['n1', 'n2', 'n3']);

const entry = (index: number, term: number, text = 'x'): Entry => ({
  index,
  term,
  data: data(text),
});

const append = (more: Partial<AppendEntries>): AppendEntries => ({
  type: 'AppendEntries',
  from: 'n2',
  to: 'n1',
  term: 3,
  prevLogIndex: 0,
  prevLogTerm: 0,
  entries: [],
  leaderCommit: 0,
  ...more,
});

describe('replication', () => {
  it('commits on a majority and tells the others with the next message', () => {
    const cluster = new CoreCluster();
    cluster.elect('n1');
    cluster.isolate('n3');
    cluster.propose('n1', 'a');
    expect(cluster.appliedBy('n1')).toEqual(['a']);
    cluster.heal('n3');
    cluster.tick(4);
    expect(cluster.appliedBy('n3')).toEqual(['a']);
  });

  it('does not commit an entry of an older term by counting (figure 8; pitfall 1)', () => {
    const cluster = new CoreCluster(['n1', 'n2', 'n3', 'n4', 'n5'], { appendEntriesMax: 1 });
    cluster.elect('n1');
    // n1 appends in its term; only n2 gets it.
    cluster.filter = (message) => message.to === 'n2' || message.from === 'n2';
    cluster.propose('n1', 'old');
    expect(cluster.appliedBy('n1')).toEqual([]);
    // Then n1 leads again. All have the old entry and say so, and nobody acknowledges the new no-op.
    cluster.depose('n1');
    cluster.filter = (message) =>
      message.type !== 'AppendEntriesResponse' || message.matchIndex <= 2;
    cluster.elect('n1');
    for (const id of ['n3', 'n4', 'n5']) expect(cluster.get(id).log.term(2)).toBe(1);
    expect(cluster.node('n1').term).toBeGreaterThan(1);
    expect(cluster.appliedBy('n1')).toEqual([]);
    // Once an entry of its own term is on a majority, both are committed.
    cluster.filter = () => true;
    cluster.tick(6);
    expect(cluster.appliedBy('n1')).toEqual(['old']);
  });

  it('counts its own entries only when they are durable (pitfall 6)', () => {
    const lone = loneNode([], {}, ['n1']);
    lone.node.campaign();
    lone.persist();
    lone.node.propose(data('a'));
    lone.sync((ready) => {
      expect(ready.entries).toHaveLength(1);
      expect(lone.node.status().commitIndex).toBe(1);
    });
    expect(lone.node.status().commitIndex).toBe(2);
  });

  it('acknowledges entries only after the sync (pitfall 6)', () => {
    const { node } = loneNode([]);
    node.step(append({ entries: [entry(1, 3)] }));
    const ready = node.ready();
    expect(ready.messages).toEqual([]);
    expect(ready.messagesAfterSync).toMatchObject([{ success: true, matchIndex: 1 }]);
  });

  it('sends entries while its own sync is in flight', () => {
    const cluster = new CoreCluster();
    cluster.elect('n1');
    const node = cluster.node('n1');
    node.propose(data('a'));
    const ready = node.ready();
    expect(ready.messages.map(({ to }) => to).sort()).toEqual(['n2', 'n3']);
    node.propose(data('b'));
    expect(node.takeMessages()).toHaveLength(2);
    node.advance();
  });

  it('commits no further than what the leader sent, although the log is longer (paper, figure 2)', () => {
    const entries = [1, 1, 1].map((term, at) => ({ term, index: at + 1, data: data('old') }));
    const follower = loneNode(entries);
    const empty = { type: 'AppendEntries', from: 'n2', to: 'n1', entries: [] } as const;
    follower.node.step({ ...empty, term: 2, prevLogIndex: 1, prevLogTerm: 1, leaderCommit: 3 });
    follower.persist();
    expect(follower.node.status().commitIndex).toBe(1);
  });

  it('never truncates what is committed, however messages are reordered (pitfall 11)', () => {
    const node = loneNode([]);
    node.node.step(append({ entries: [entry(1, 3), entry(2, 3)], leaderCommit: 2 }));
    node.persist();
    node.node.step(append({ entries: [entry(1, 3)], leaderCommit: 1 }));
    expect(node.persist()).toMatchObject([{ success: true, matchIndex: 2 }]);
    expect(node.log.lastIndex()).toBe(2);
    const conflicting = append({ prevLogIndex: 2, prevLogTerm: 2, term: 4 });
    node.node.step(conflicting);
    expect(node.persist()).toMatchObject([{ success: false }]);
    expect(node.node.status().commitIndex).toBe(2);
  });

  it('asserts rather than truncates a committed entry (pitfall 11)', () => {
    const log = new MemoryGroupLog();
    log.apply({ group: 'g', hardState: null, snapshot: null, entries: [entry(1, 1), entry(2, 1)] });
    const view = new LogView(log, 2, MEMBERS);
    expect(() => view.reconcile([entry(2, 2)])).toThrow(/committed/);
  });

  it('does not take a finished write for a replaced entry (append ABA; pitfall 12)', () => {
    const view = new LogView(new MemoryGroupLog(), 0, MEMBERS);
    view.append([entry(1, 1, 'a')]);
    expect(view.takeUnstable()).toHaveLength(1);
    view.reconcile([entry(1, 2, 'b')]);
    view.reconcile([entry(1, 1, 'a')]);
    view.written(1);
    expect(view.stableIndex).toBe(0);
    expect(view.takeUnstable()).toEqual([entry(1, 1, 'a')]);
    view.written(1);
    expect(view.stableIndex).toBe(1);
  });

  it('starts with nothing matched at a new leader (pitfall 13)', () => {
    const progress = new Progress(DEFAULT_RAFT_CONFIG, 11);
    expect(progress).toMatchObject({ matchIndex: 0, nextIndex: 11, state: 'probe' });
    progress.sent(10, 0);
    expect(progress.isPaused).toBe(true);
    expect(progress.rejected(10, 4)).toBe(true);
    expect(progress).toMatchObject({ nextIndex: 5, isPaused: false });
    expect(progress.rejected(10, 2)).toBe(false);
  });

  it('bounds what is on the way to a follower (pitfall 28)', () => {
    const config = { appendBytesMax: 10, inflightBytesMax: 1000, inflightMessagesMax: 4 };
    const cluster = new CoreCluster(['n1', 'n2', 'n3'], config);
    cluster.elect('n1');
    cluster.tick(2);
    const node = cluster.node('n1');
    node.proposeMany(Array.from({ length: 100 }, () => data('0123456789')));
    const toN2 = node.takeMessages().filter(({ to }) => to === 'n2');
    expect(toN2).toHaveLength(4);
    cluster.settle();
    cluster.tick(4);
    expect(cluster.appliedBy('n2')).toHaveLength(100);
  });

  it('refuses proposals beyond the uncommitted bytes, and takes them again (pitfall 28)', () => {
    const cluster = new CoreCluster(['n1', 'n2', 'n3'], { uncommittedBytesMax: 10 });
    cluster.elect('n1');
    const node = cluster.node('n1');
    expect(node.propose(data('a'.repeat(50)))).toMatchObject({ term: 1 });
    expect(node.propose(data('b'))).toEqual({ refused: 'overloaded' });
    cluster.settle();
    expect(node.propose(data('b'))).toMatchObject({ term: 1 });
  });

  it('finds the end of agreement in few rounds with the conflict hint', () => {
    const cluster = new CoreCluster(['n1', 'n2', 'n3']);
    const ancient = Array.from({ length: 50 }, (_, i) => entry(i + 1, 1));
    const own = Array.from({ length: 50 }, (_, i) => entry(i + 1, i < 20 ? 1 : 2));
    for (const [id, entries] of [
      ['n1', own],
      ['n2', own],
      ['n3', ancient],
    ] as const) {
      const hardState = { currentTerm: 2, votedFor: null, repairIndex: 0, isRejoining: false };
      cluster.get(id).log.apply({ group: 'g', hardState, snapshot: null, entries });
      cluster.get(id).restart();
    }
    let rejections = 0;
    cluster.filter = (message) => {
      if (message.type === 'AppendEntriesResponse' && !message.success) rejections += 1;
      return true;
    };
    cluster.elect('n1');
    cluster.tick(4);
    expect(rejections).toBeLessThan(4);
    expect(cluster.get('n3').log.term(50)).toBe(2);
    expect(cluster.get('n3').log.lastIndex()).toBe(51);
  });

  it('applies nothing that is not durable here, although a quorum has it', () => {
    const { node, log } = loneNode([]);
    node.step({
      ...{ type: 'AppendEntries', from: 'n2', to: 'n1', term: 1, prevLogIndex: 0, prevLogTerm: 0 },
      ...{ entries: [{ term: 1, index: 1, data: data('a') }], leaderCommit: 1 },
    });
    expect(node.status()).toMatchObject({ commitIndex: 1, lastIndex: 1 });
    expect(node.committedEntries(1e9)).toEqual([]);
    const { hardState, snapshot, entries } = node.ready();
    expect(node.committedEntries(1e9)).toEqual([]);
    log.apply({ group: 'g', hardState, snapshot, entries });
    node.advance();
    expect(node.committedEntries(1e9)).toHaveLength(1);
    expect(node.committedEntriesCount).toBe(1);
  });

  it('repairs a follower that lost acknowledged entries, then lets it vote (pitfall 9)', () => {
    const cluster = new CoreCluster();
    cluster.elect('n1');
    for (const text of ['a', 'b', 'c']) cluster.propose('n1', text);
    cluster.tick(3);
    // The log of n3 is cut behind its first entry, and recovery noticed.
    const lost = cluster.get('n3');
    const kept = lost.log.entries(1, 2, 1e9);
    const hardState = { ...lost.log.hardState(), repairIndex: 4 };
    lost.log.apply({ group: 'g', hardState, snapshot: null, entries: kept });
    lost.restart();
    expect(lost.node.status().isDamaged).toBe(true);
    cluster.tick(6);
    expect(lost.node.status()).toMatchObject({ isDamaged: false, lastIndex: 4 });
    expect(cluster.appliedBy('n3')).toEqual(['a', 'b', 'c']);
    expect(lost.log.hardState().repairIndex).toBe(0);
  });

  it('finds out by a heartbeat that acknowledged entries are gone (pitfall 9)', () => {
    const cluster = new CoreCluster();
    cluster.elect('n1');
    for (const text of ['a', 'b', 'c']) cluster.propose('n1', text);
    cluster.tick(3);
    // The last entry rotted before a checkpoint said that it had been synced: it looks torn.
    const lost = cluster.get('n3');
    const kept = lost.log.entries(1, 4, 1e9);
    lost.log.apply({ group: 'g', hardState: null, snapshot: null, entries: kept });
    lost.restart();
    expect(lost.node.status()).toMatchObject({ isDamaged: false, lastIndex: 3 });
    let isNoticed = false;
    cluster.filter = () => {
      isNoticed ||= lost.node.status().isDamaged;
      return true;
    };
    cluster.tick(6);
    expect(isNoticed).toBe(true);
    expect(lost.node.status()).toMatchObject({ isDamaged: false, lastIndex: 4 });
    expect(cluster.appliedBy('n3')).toEqual(['a', 'b', 'c']);
  });

  it('does not answer a refusal of what was acknowledged with the same request for ever', () => {
    const cluster = new CoreCluster();
    cluster.elect('n1');
    for (const text of ['a', 'b', 'c']) cluster.propose('n1', text);
    const leader = cluster.get('n1');
    const refusal = {
      ...({
        type: 'AppendEntriesResponse',
        from: 'n3',
        to: 'n1',
        term: 1,
        success: false,
      } as const),
      ...{ matchIndex: 0, conflictIndex: 3, conflictTerm: 1, logDamaged: false },
      rejoinNonce: 0,
    };
    // The first one, of an entry beyond the match, makes the leader probe.
    leader.node.step({ ...refusal, prevLogIndex: 5 });
    leader.persist();
    for (let copy = 0; copy < 3; copy += 1) {
      leader.node.step({ ...refusal, prevLogIndex: 4 });
      expect(leader.persist()).toEqual([]);
    }
  });

  it('does not end the repair before the log is as long as it was (pitfall 9)', () => {
    const node = loneNode([], { repairIndex: 2, currentTerm: 3 });
    const heartbeat = { type: 'Heartbeat', from: 'n2', to: 'n1', term: 3, rejoinNonce: 0 } as const;
    node.node.step({ ...heartbeat, leaderCommit: 0, lastLogIndex: 3, readContext: 0 });
    expect(node.persist()).toContainEqual(
      expect.objectContaining({ success: false, logDamaged: true, conflictIndex: 0 }),
    );
    node.node.step(append({ entries: [entry(1, 3), entry(2, 3)] }));
    node.persist();
    expect(node.node.status().isDamaged).toBe(true);
    node.node.step(append({ prevLogIndex: 2, prevLogTerm: 3, entries: [entry(3, 3)] }));
    node.persist();
    expect(node.node.status().isDamaged).toBe(false);
  });

  it('ignores a snapshot older than what is committed (pitfall 24)', () => {
    const node = loneNode([]);
    node.node.step(append({ entries: [entry(1, 3), entry(2, 3)], leaderCommit: 2 }));
    node.persist();
    const envelope = { type: 'InstallSnapshot', from: 'n2', to: 'n1', term: 3 } as const;
    const configuration = { voters: ['n1', 'n2', 'n3'], outgoing: null, learners: [] };
    const install = { ...envelope, configuration };
    node.node.step({ ...install, lastIncludedIndex: 1, lastIncludedTerm: 3 });
    expect(node.persist()).toMatchObject([{ success: true, matchIndex: 2 }]);
    expect(node.log.snapshotIndex()).toBe(0);
    node.node.step({ ...install, lastIncludedIndex: 7, lastIncludedTerm: 3 });
    expect(node.node.snapshotToInstall).toBeNull();
    node.persist();
    expect(node.node.snapshotToInstall).toBe(7);
    expect(node.log.lastIndex()).toBe(7);
  });
});

describe('ReadIndex', () => {
  it('waits for the no-op of the new leader (pitfall 2)', () => {
    const cluster = new CoreCluster();
    cluster.elect('n1');
    cluster.propose('n1', 'a');
    cluster.filter = ({ type }) => type !== 'AppendEntries';
    cluster.isolate('n1');
    cluster.elect('n2');
    const context = cluster.node('n2').readIndex();
    cluster.settle();
    const [state] = cluster.node('n2').takeReadStates();
    expect(state).toEqual({ context, index: 3 });
    expect(cluster.node('n2').status().lastApplied).toBeLessThan(3);
  });

  it('is not confirmed by responses to earlier rounds (pitfall 4)', () => {
    const cluster = new CoreCluster();
    cluster.elect('n1');
    const node = cluster.node('n1');
    const from = { from: 'n2', to: 'n1', term: 1, rejoinNonce: 0 };
    const old = { type: 'HeartbeatResponse', ...from } as const;
    const first = node.readIndex();
    node.takeMessages();
    const second = node.readIndex();
    node.step({ ...old, readContext: first as number });
    expect(node.takeReadStates()).toMatchObject([{ context: first }]);
    node.step({ ...old, readContext: first as number });
    expect(node.takeReadStates()).toEqual([]);
    node.step({ ...old, readContext: second as number });
    expect(node.takeReadStates()).toMatchObject([{ context: second }]);
  });

  it('asks no more followers than a quorum takes, those that were first to answer (R9)', () => {
    const cluster = new CoreCluster(['n1', 'n2', 'n3', 'n4', 'n5']);
    cluster.elect('n1');
    const node = cluster.node('n1');
    const asked = (): string[] => node.takeMessages().map(({ to }) => to);
    const answer = (from: string, readContext: number): void => {
      node.step({
        type: 'HeartbeatResponse',
        from,
        to: 'n1',
        term: 1,
        readContext,
        rejoinNonce: 0,
      });
    };
    const first = node.readIndex() as number;
    expect(asked()).toEqual(['n2', 'n3', 'n4', 'n5']);
    for (const id of ['n4', 'n3', 'n2', 'n5']) answer(id, first);
    const second = node.readIndex() as number;
    expect(asked().sort()).toEqual(['n3', 'n4']);
    answer('n4', second);
    expect(node.takeReadStates()).toMatchObject([{ context: first }]);
    answer('n3', second);
    expect(node.takeReadStates()).toMatchObject([{ context: second }]);
  });

  it('is confirmed by others at the next heartbeat when those who are asked fall silent (R9)', () => {
    const cluster = new CoreCluster();
    cluster.elect('n1');
    const node = cluster.node('n1');
    cluster.isolate('n3');
    node.readIndex();
    cluster.settle();
    expect(node.takeReadStates()).toHaveLength(1);
    cluster.heal('n3');
    cluster.isolate('n2');
    const context = node.readIndex();
    cluster.settle();
    expect(node.takeReadStates()).toEqual([]);
    cluster.tick(DEFAULT_RAFT_CONFIG.heartbeatTicks, ['n1']);
    expect(node.takeReadStates()).toMatchObject([{ context }]);
    const next = node.readIndex();
    cluster.settle();
    expect(node.takeReadStates()).toMatchObject([{ context: next }]);
  });

  it('keeps the followers that it does not ask from campaigning', () => {
    const cluster = new CoreCluster();
    cluster.elect('n1');
    for (let tick = 0; tick < 3 * DEFAULT_RAFT_CONFIG.electionTimeoutTicksMax; tick += 1) {
      cluster.node('n1').readIndex();
      cluster.tick(1);
    }
    expect(cluster.node('n1').status()).toMatchObject({ role: 'leader', term: 1 });
  });

  it('is not answered by a leader that a quorum has left', () => {
    const cluster = new CoreCluster();
    cluster.elect('n1');
    cluster.isolate('n1');
    cluster.node('n1').readIndex();
    cluster.tick(5, ['n1']);
    expect(cluster.node('n1').takeReadStates()).toEqual([]);
  });

  it('bounds the rounds that wait', () => {
    const cluster = new CoreCluster(['n1', 'n2', 'n3'], { pendingReadsMax: 2 });
    cluster.elect('n1');
    cluster.isolate('n1');
    const node = cluster.node('n1');
    expect([node.readIndex(), node.readIndex(), node.readIndex()]).toEqual([1, 2, 'overloaded']);
    expect(cluster.node('n2').readIndex()).toBe('not-leader');
  });
});

describe('quorums', () => {
  it('needs both majorities in the joint phase (thesis, section 4.3; pitfall 14)', () => {
    const joint = enterJoint(staticConfiguration(['a', 'b', 'c']), {
      voters: ['c', 'd', 'e'],
      learners: [],
    });
    const yes = (...ids: string[]): Map<string, boolean> => new Map(ids.map((id) => [id, true]));
    expect(voteOutcome(joint, yes('a', 'b'))).toBe('pending');
    expect(voteOutcome(joint, yes('a', 'c', 'd'))).toBe('won');
    expect(isQuorum(leaveJoint(joint), (id) => id === 'd' || id === 'e')).toBe(true);
    const match: Record<string, number> = { a: 9, b: 9, c: 9, d: 3, e: 2 };
    expect(quorumIndex(joint, (id) => match[id] ?? 0)).toBe(3);
  });

  it('is the largest index on a majority, for any match indexes', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(20), { minLength: 1, maxLength: 7 }), (matches) => {
        const ids = matches.map((_, position) => `n${String(position)}`);
        const configuration = staticConfiguration(ids);
        const of = (id: string): number => matches[ids.indexOf(id)] ?? 0;
        const holds = (index: number): boolean =>
          matches.filter((match) => match >= index).length > matches.length / 2;
        const index = quorumIndex(configuration, of);
        expect(holds(index)).toBe(true);
        expect(holds(index + 1)).toBe(false);
      }),
    );
  });
});
