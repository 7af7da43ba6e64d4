import type { MetadataIntent, MetadataNodeEntry } from '@azimuth/proto';
import fc from 'fast-check';

import { planIntent } from '../../src/server/metadata-intent';
import type { IntentPlan } from '../../src/server/metadata-intent';
import { planMetadata } from '../../src/server/metadata-plan';
import type { GroupView, MetadataPlanInput, MetadataStep } from '../../src/server/metadata-plan';

const node = (nodeId: string, more: Partial<MetadataNodeEntry> = {}): MetadataNodeEntry => ({
  ...{ nodeId, zone: nodeId.slice(0, 1), host: 'h', port: 1, incarnation: `log of ${nodeId}` },
  ...{ state: 'voter', mayLead: true, ...more },
});

const view = (
  group: string,
  leader: string,
  voters: readonly string[],
  learners: readonly string[] = [],
  behind: Readonly<Record<string, number>> = {},
): GroupView => ({
  ...{ group, leader, commitIndex: 10_000 },
  membership: {
    ...{ configurationIndex: 7, voters, learners, isSettled: true },
    members: [...voters, ...learners].map((nodeId) => ({
      ...{ nodeId, isAlive: true, matchIndex: 10_000 - (behind[nodeId] ?? 0) },
    })),
  },
});

const input = (
  nodes: readonly MetadataNodeEntry[],
  groups: readonly GroupView[],
  isSteady = false,
): MetadataPlanInput => ({ nodes, groups, groupCount: groups.length, isSteady });

/** Record and groups as they would follow the plan; nodes that are dead catch up with nothing. */
class ModelCluster {
  readonly dead = new Set<string>();
  nodes: readonly MetadataNodeEntry[];
  groups: readonly GroupView[];

  constructor(nodes: readonly MetadataNodeEntry[], groups: readonly string[]) {
    this.nodes = nodes;
    this.groups = groups.map((group) =>
      this.#view(
        group,
        nodes.map(({ nodeId }) => nodeId),
        [],
      ),
    );
  }

  get isQuiet(): boolean {
    return this.nodes.every(({ state }) => state === 'voter') && this.#steps().length === 0;
  }

  intend(intent: MetadataIntent): void {
    const alive = new Set(
      this.nodes.map(({ nodeId }) => nodeId).filter((id) => !this.dead.has(id)),
    );
    this.#record(planIntent(this.nodes, intent, alive, ['a', 'b', 'c']));
    // Whoever is alive says which log it has.
    this.nodes = this.nodes.map((each) =>
      this.dead.has(each.nodeId) ? each : { ...each, incarnation: `log of ${each.nodeId}` },
    );
  }

  /** The next step of one group, or of the record. */
  takeStep(group: string | null): void {
    for (const step of this.#steps()) {
      if (step.kind === 'nodes') this.#record(step);
      if (step.kind !== 'members' || (group ?? step.group) !== step.group) continue;
      const { voters, learners } = step;
      this.groups = this.groups.map((each) =>
        each.group === step.group ? this.#view(each.group, voters, learners) : each,
      );
    }
  }

  settle(): void {
    for (let round = 0; round < 10; round += 1) this.takeStep(null);
  }

  #steps(): MetadataStep[] {
    // Who died meanwhile is seen to be dead.
    const groups = this.groups.map(({ group, membership: { voters, learners } }) =>
      this.#view(group, voters, learners),
    );
    return planMetadata(input(this.nodes, groups)).filter(({ kind }) => kind !== 'lead');
  }

  #record(change: Pick<IntentPlan, 'put' | 'remove'>): void {
    const put = new Map(change.put.map((each) => [each.nodeId, each]));
    const kept = this.nodes.filter(
      ({ nodeId }) => !put.has(nodeId) && !change.remove.includes(nodeId),
    );
    this.nodes = [...kept, ...put.values()];
  }

  #view(group: string, voters: readonly string[], learners: readonly string[]): GroupView {
    const made = view(group, 'b1', voters, learners);
    const members = made.membership.members.map((member) => ({
      ...member,
      isAlive: !this.dead.has(member.nodeId),
    }));
    return { ...made, membership: { ...made.membership, members } };
  }
}

describe('the plan of metadata nodes', () => {
  const replacing = [node('a1', { state: 'leaving' }), node('b1'), node('c1')];
  const joining = node('a2', { state: 'joining' });

  it('brings each group from learner to joint change to the end of the record (P1, P2)', () => {
    const nodes = [...replacing, joining];
    const old = ['a1', 'b1', 'c1'];
    const fresh = input(nodes, [view('root', 'b1', old), view('index-0', 'b1', old, ['a2'])]);
    expect(planMetadata(fresh)).toMatchObject([
      { kind: 'members', group: 'root', voters: old, learners: ['a2'], expectedIndex: 7 },
      { kind: 'members', group: 'index-0', voters: ['b1', 'c1', 'a2'], learners: [] },
    ]);
    const late = view('root', 'b1', old, ['a2'], { a2: 5_000 });
    expect(planMetadata(input(nodes, [late]))).toEqual([]);
    const done = view('root', 'b1', ['b1', 'c1', 'a2']);
    expect(planMetadata(input(nodes, [done]))).toMatchObject([
      { kind: 'nodes', put: [{ nodeId: 'a2', state: 'voter' }], remove: ['a1'] },
    ]);
    // A group that nobody leads may not be there yet.
    expect(planMetadata({ ...input(nodes, [done]), groupCount: 2 })).toEqual([]);
  });

  it('pitfall 17: waits for a node that never said which log it has', () => {
    const silent = [...replacing, node('a2', { state: 'joining', incarnation: null })];
    expect(planMetadata(input(silent, [view('root', 'b1', ['a1', 'b1', 'c1'])]))).toEqual([]);
  });

  it('takes no step while a group is in a change', () => {
    const busy = view('root', 'b1', ['a1', 'b1', 'c1']);
    const membership = { ...busy.membership, isSettled: false };
    expect(planMetadata(input([...replacing, joining], [{ ...busy, membership }]))).toEqual([]);
  });

  it('moves leaders at once away from where they shall not be (P3)', () => {
    const nodes = [node('a1', { mayLead: false }), node('b1'), node('c1')];
    const voters = ['a1', 'b1', 'c1'];
    const groups = [view('root', 'a1', voters), view('index-0', 'b1', voters)];
    expect(planMetadata(input(nodes, groups))).toMatchObject([
      { kind: 'lead', group: 'root', target: 'c1' },
    ]);
  });

  it('evens leaders out over zones and nodes, and comes to rest (P3)', () => {
    const nodes = ['a1', 'a2', 'b1', 'b2', 'c1'].map((nodeId) => node(nodeId));
    const voters = nodes.map(({ nodeId }) => nodeId);
    const leaders = fc.array(fc.constantFrom(...voters), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(leaders, (initial) => {
        let groups = initial.map((leader, n) => view(`index-${n}`, leader, voters));
        for (let moves = 0; ; moves += 1) {
          const [step] = planMetadata(input(nodes, groups, true));
          if (step === undefined) break;
          expect(moves).toBeLessThan(40);
          if (step.kind !== 'lead') throw new Error(step.kind);
          const { group, target } = step;
          groups = groups.map((each) =>
            each.group === group ? { ...each, leader: target } : each,
          );
        }
        const counts = voters.map((id) => groups.filter(({ leader }) => leader === id).length);
        expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
        expect(planMetadata(input(nodes, groups, false))).toEqual([]);
      }),
    );
  });
});

describe('the intent of an operator', () => {
  const nodes = [node('a1'), node('b1'), node('c1')];
  const zones = ['a', 'b', 'c'];
  const all = new Set(['a1', 'b1', 'c1']);
  const address = (nodeId: string) => ({ nodeId, zone: nodeId.slice(0, 1), host: 'h', port: 2 });
  const change = (add: string[], remove: string[]) =>
    ({ kind: 'change', add: add.map(address), remove }) as const;
  const reasonOf = (run: () => unknown): unknown => {
    try {
      run();
      return null;
    } catch (error) {
      return (error as { detail: { reason: unknown } }).detail.reason;
    }
  };

  it('replaces a dead node, and grows three voters to five at once', () => {
    const alive = new Set(['b1', 'c1']);
    expect(planIntent(nodes, change(['a2'], ['a1']), alive, zones).put).toMatchObject([
      { nodeId: 'a2', state: 'joining', incarnation: null },
      { nodeId: 'a1', state: 'leaving' },
    ]);
    const { lines } = planIntent(nodes, change(['a2', 'b2'], []), all, zones);
    expect(lines.at(-1)).toBe('3 voters become 5; they tolerate the loss of 2');
  });

  it('refuses what would lose a quorum, fill one zone, or begin before the last change ended', () => {
    const refused = (add: string[], remove: string[], alive = all, of = nodes) =>
      reasonOf(() => planIntent(of, change(add, remove), alive, zones));
    expect(refused([], ['b1'], new Set(['b1', 'c1']))).toContain('a quorum would be lost');
    expect(refused(['a2'], ['a1'], new Set(['b1']))).toContain('no majority');
    expect(refused(['a2'], ['b1'])).toBe('zone a would hold a majority of the voters');
    expect(refused(['a1'], [])).toContain('a new log needs a new name');
    expect(refused(['x1'], [])).toBe('there is no zone x');
    expect(refused([], ['z1'])).toBe('z1 is no metadata node');
    const busy = [node('a1'), node('b1'), node('c1'), node('a2', { state: 'joining' })];
    expect(refused(['b2'], [], all, busy)).toBe('a change is in progress: a2 is joining');
    const leaving = [node('a1', { state: 'leaving' }), ...busy.slice(1)];
    expect(refused(['a3'], ['a1'], all, leaving)).toBe('a1 is leaving already');
    expect(refused(['a3'], ['a2'], new Set(['b1']), leaving)).toContain('no majority');
  });

  it('answers the same change, asked for again, without changing anything', () => {
    const voters = [node('b1'), node('c1')];
    const changing = [
      node('a1', { state: 'leaving' }),
      node('a2', { ...address('a2'), state: 'joining' }),
      ...voters,
    ];
    const again = (add: string[], remove: string[]) =>
      planIntent(changing, change(add, remove), all, zones);
    expect(again(['a2'], ['a1'])).toEqual({ put: [], remove: [], lines: ['is under way'] });
    expect(reasonOf(() => again(['a2'], []))).toContain('a change is in progress');
    expect(reasonOf(() => again(['a2', 'b2'], ['a1']))).toContain('a change is in progress');
    const elsewhere = changing.map((each) => ({ ...each, port: each.port + 1 }));
    const other = () => planIntent(elsewhere, change(['a2'], ['a1']), all, zones);
    expect(reasonOf(other)).toBe('a1 is leaving already');
  });

  it('replaces, or takes back, a node that joins and has lost its log, wherever the groups are', () => {
    const groupNames = ['root', 'index-0', 'index-1'];
    const old = ['a1', 'b1', 'c1'];
    const lost = fc.record({
      done: fc.array(fc.nat(2), { maxLength: 6 }),
      isFirstDead: fc.boolean(),
      isTakenBack: fc.boolean(),
    });
    fc.assert(
      fc.property(lost, ({ done, isFirstDead, isTakenBack }) => {
        const cluster = new ModelCluster(nodes, groupNames);
        if (isFirstDead) cluster.dead.add('a1');
        cluster.intend(change(['a2'], ['a1']));
        for (const group of done) cluster.takeStep(groupNames[group]!);
        cluster.dead.add('a2');
        cluster.intend(isTakenBack ? change([], ['a2']) : change(['a3'], ['a2']));
        cluster.settle();
        // A node that died cannot come back into groups that it had left: another one can.
        if (!cluster.isQuiet) cluster.intend(change(['a3'], ['a1']));
        cluster.settle();
        expect(cluster.isQuiet).toBe(true);
        const names = cluster.nodes.map(({ nodeId }) => nodeId).sort();
        expect([old, ['a3', 'b1', 'c1']]).toContainEqual(names);
        for (const { membership } of cluster.groups) {
          expect([...membership.voters].sort()).toEqual(names);
          expect(membership.learners).toEqual([]);
        }
      }),
    );
  });

  it('takes back a node that never came, and with it who was to leave', () => {
    const busy = [
      ...[node('a1', { state: 'leaving' }), node('b1'), node('c1')],
      node('a2', { state: 'joining', incarnation: null }),
    ];
    expect(planIntent(busy, change([], ['a2']), all, zones)).toMatchObject({
      put: [{ nodeId: 'a1', state: 'voter' }],
      remove: ['a2'],
    });
  });

  it('leaves somebody to lead', () => {
    const lead = { kind: 'lead', nodeId: null, zone: 'a', mayLead: false } as const;
    expect(planIntent(nodes, lead, all, zones).put).toMatchObject([{ nodeId: 'a1' }]);
    const last = nodes.map((each) => ({ ...each, mayLead: each.nodeId === 'a1' }));
    expect(reasonOf(() => planIntent(last, lead, all, zones))).toContain('may lead');
  });
});
