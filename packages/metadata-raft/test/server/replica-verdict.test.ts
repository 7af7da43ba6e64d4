import type { ReplicaIntegrity } from '@azimuth/proto';

import { judgeReplica } from '../../src/server/replica-verdict';

type Marks = Readonly<Record<number, string>>;

function replica(digests: Marks, censuses: Marks = {}): ReplicaIntegrity {
  const marks = (of: Marks): { index: number; hash: string }[] =>
    Object.entries(of).map(([index, hash]) => ({ index: Number(index), hash }));
  return { isDamaged: false, digests: marks(digests), censuses: marks(censuses) };
}

const judge = (replicas: Readonly<Record<string, ReplicaIntegrity>>, voters = 3): unknown =>
  judgeReplica('n1', new Map(Object.entries(replicas)), voters);

describe('the verdict on a replica (pitfall 27)', () => {
  it('agrees with equal replicas, and with those that are at other indexes', () => {
    const n1 = replica({ 1000: 'a', 1500: 'x' });
    expect(judge({ n1 })).toEqual({ kind: 'agrees' });
    expect(
      judge({ n1, n2: replica({ 1000: 'a', 1400: 'y' }), n3: replica({ 2000: 'z' }) }),
    ).toEqual({ kind: 'agrees' });
  });

  it('condemns only what a majority of all voters contradicts with one voice', () => {
    const n1 = replica({ 1000: 'wrong' });
    const right = replica({ 1000: 'right' });
    expect(judge({ n1, n2: right, n3: right })).toEqual({ kind: 'outvoted', index: 1000 });
    expect(judge({ n1, n2: right })).toEqual({ kind: 'undecided', index: 1000 });
    expect(judge({ n1, n2: right, n3: replica({ 1000: 'third' }) })).toEqual({
      kind: 'undecided',
      index: 1000,
    });
    expect(judge({ n1, n2: right, n3: right }, 5)).toEqual({ kind: 'undecided', index: 1000 });
  });

  it('compares no replicas of different apply versions: a rolling upgrade outvotes nobody', () => {
    const upgraded = { ...replica({ 1000: 'new' }, { 900: 'new' }), applyVersion: 2 };
    const old = replica({ 1000: 'old' }, { 900: 'old' });
    expect(judge({ n1: upgraded, n2: old, n3: old })).toEqual({ kind: 'agrees' });
    expect(judge({ n1: old, n2: upgraded, n3: upgraded })).toEqual({ kind: 'agrees' });
    expect(judge({ n1: { ...old, applyVersion: 2 }, n2: upgraded, n3: upgraded })).toEqual({
      kind: 'outvoted',
      index: 1000,
    });
  });

  it('leaves another replica to find out by itself', () => {
    const n1 = replica({ 1000: 'right' });
    const n2 = replica({ 1000: 'right' });
    expect(judge({ n1, n2, n3: replica({ 1000: 'wrong' }) })).toEqual({
      kind: 'others',
      index: 1000,
      nodeIds: ['n3'],
    });
  });

  it('finds a lost record although all changes were the same', () => {
    const right = replica({ 1000: 'a' }, { 900: 'all' });
    expect(judge({ n1: replica({ 1000: 'a' }, { 900: 'less' }), n2: right, n3: right })).toEqual({
      kind: 'outvoted',
      index: 900,
    });
  });
});
