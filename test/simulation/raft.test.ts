import type { Message } from '../../packages/metadata-raft/src/core/message';

import { checkLinearizable } from './raft/history';
import { RaftSimulationError, runRaftSimulation } from './raft/raft-simulation';
import type { RaftSimulationOptions } from './raft/raft-simulation';
import { SEEDS } from './raft/declare-seeds';

describe('raft under faults of network, disk and process', () => {
  it('is safe while members come and go all the time (pitfalls 14 to 18)', async () => {
    let changes = 0;
    for (let seed = 1_001; seed <= 1_000 + Math.ceil(SEEDS / 8); seed += 1) {
      const swarm = { nodeCount: 3, spareCount: 2, membershipChangesPerSecond: 4 };
      changes += (await runRaftSimulation({ seed, swarm })).membershipChanges;
    }
    expect(changes).toBeGreaterThan(SEEDS / 8);
  }, 300_000);

  it('replays a seed exactly', async () => {
    for (const seed of [1, 7, 21]) {
      const first = await runRaftSimulation({ seed });
      expect(await runRaftSimulation({ seed })).toEqual(first);
    }
  }, 300_000);
});

describe('the checkers of the simulation', () => {
  /** Runs seeds until one fails; answers its message. */
  async function failureOf(fault: Omit<RaftSimulationOptions, 'seed'>): Promise<string> {
    for (let seed = 1; seed <= 40; seed += 1) {
      try {
        await runRaftSimulation({ seed, ...fault });
      } catch (error) {
        if (!(error instanceof RaftSimulationError)) throw error;
        return error.message;
      }
    }
    return 'none';
  }

  it('notice votes that ignore the log (paper, section 5.4.1)', async () => {
    const tamper = (sent: Message): Message =>
      sent.type === 'PreVote' || sent.type === 'RequestVote'
        ? { ...sent, lastLogIndex: sent.lastLogIndex + 1_000, lastLogTerm: sent.term }
        : sent;
    expect(await failureOf({ tamper })).toMatch(
      /^seed=\d+ steps=\d+ · replay: npm run simulate -- --seed \d+/,
    );
  }, 300_000);

  it('notice an acknowledgement of what is not there (pitfall 6)', async () => {
    const tamper = (sent: Message): Message =>
      sent.type === 'AppendEntriesResponse' && !sent.success && sent.conflictIndex > 0
        ? { ...sent, success: true, matchIndex: sent.prevLogIndex, logDamaged: false }
        : sent;
    expect(await failureOf({ tamper })).toMatch(/^seed=/);
  }, 300_000);

  it('notice a log that is not synced (pitfall 6)', async () => {
    const isSyncForgotten = (name: string): boolean => name.startsWith('wal-');
    expect(await failureOf({ isSyncForgotten })).toMatch(/^seed=/);
  }, 300_000);

  it('notice a stale read, and accept the same operations in a possible order', () => {
    const write = { kind: 'write', group: 'g', startMs: 0, endMs: 1, index: 7 } as const;
    const read = { kind: 'read', group: 'g', startMs: 2, endMs: 3, index: 6 } as const;
    expect(() => checkLinearizable([write, read])).toThrow(/not linearizable/);
    checkLinearizable([{ ...write, endMs: 2.5 }, read]);
    checkLinearizable([write, { ...read, index: 7 }]);
    const unknown = { ...write, startMs: 4, endMs: Infinity, index: 5 } as const;
    expect(() => checkLinearizable([write, unknown])).toThrow(/not linearizable/);
  });
});
