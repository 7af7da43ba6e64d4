import { seededRandom, StoreError } from '@azimuth/common';
import type { Clock } from '@azimuth/common';
import { decodeRecord, encodeRecord } from '@azimuth/proto';
import type { SessionRequest, SessionResponse } from '@azimuth/proto';

import { SessionMetadataClient } from '../src/session-metadata-client';
import type { MetadataSession } from '../src/session-table';

type Answer = SessionResponse | StoreError | 'silence';
type Propose = Extract<SessionRequest, { kind: 'propose' }>;

/** Time passes only in sleeps and time-outs. */
class StepClock implements Clock {
  nowMs = 1_800_000_000_000;
  wallMs = () => this.nowMs;
  monotonicMs = () => this.nowMs;
  schedule = () => () => undefined;
  sleep = (delayMs: number): Promise<void> => {
    this.nowMs += Math.max(1, delayMs);
    return Promise.resolve();
  };
}

/** A node that answers by a function, and keeps what it was asked. */
class FakeNode implements MetadataSession {
  readonly requests: SessionRequest[] = [];
  readonly #answer: (request: SessionRequest) => Answer;

  constructor(answer: (request: SessionRequest) => Answer) {
    this.#answer = answer;
  }

  call(body: Buffer): Promise<Buffer> {
    const request = decodeRecord(body) as SessionRequest;
    this.requests.push(request);
    const answer = this.#answer(request);
    if (answer === 'silence') return new Promise(() => undefined);
    if (answer instanceof StoreError) return Promise.reject(answer);
    return Promise.resolve(encodeRecord(answer));
  }

  close(): void {
    // Nothing is open.
  }
}

const OK: Answer = { ok: true, result: null };
const failure = (code: string, detail = {}): Answer => ({ ok: false, code, detail });
const gone = (sent: boolean): Answer => new StoreError('UNAVAILABLE', { sent });
const notLeader = (leader: string): Answer => failure('NOT_LEADER', { leader });

function connect(answers: Readonly<Record<string, (request: SessionRequest) => Answer>>) {
  const clock = new StepClock();
  const nodes = new Map(Object.entries(answers).map(([id, answer]) => [id, new FakeNode(answer)]));
  const client = new SessionMetadataClient(nodes, { clock, random: seededRandom(7) });
  const proposed = (): Propose[] =>
    [...nodes.values()]
      .flatMap(({ requests }) => requests)
      .filter(({ kind }) => kind === 'propose') as Propose[];
  return { clock, client, nodes, proposed };
}

const fence = (client: SessionMetadataClient) =>
  client.index(
    'index-0',
    'FenceBucket',
    { bucketId: 'b', isFenced: true, mark: 1 },
    { timeoutMs: 10_000 },
  );

describe('SessionMetadataClient', () => {
  it('follows the hint of NOT_LEADER and remembers the leader', async () => {
    const { client, nodes } = connect({ a: () => notLeader('c'), b: () => OK, c: () => OK });
    await fence(client);
    await fence(client);
    expect(nodes.get('a')?.requests).toHaveLength(1);
    expect(nodes.get('b')?.requests).toHaveLength(0);
    expect(nodes.get('c')?.requests).toHaveLength(2);
  });

  it('F1: keeps the command id over a lost leader and an election (pitfall 26)', async () => {
    let attempts = 0;
    const { client, proposed } = connect({
      a: () => gone(true),
      b: () => ((attempts += 1) > 3 ? OK : notLeader('a')),
      c: () => notLeader('a'),
    });
    await fence(client);
    expect(proposed().length).toBeGreaterThan(4);
    expect(new Set(proposed().map(({ command }) => command.commandId)).size).toBe(1);
  });

  it('F2: a command that may have been applied ends as OUTCOME_UNKNOWN at the deadline', async () => {
    const { client, clock } = connect({ a: () => gone(true), b: () => gone(false) });
    const startedMs = clock.nowMs;
    await expect(fence(client)).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN' });
    expect(clock.nowMs - startedMs).toBeGreaterThanOrEqual(10_000);
  });

  it('F2: giving up a command that may be applied is OUTCOME_UNKNOWN, all else CANCELLED', async () => {
    const args = { bucketId: 'b', isFenced: true, mark: 1 };
    const giveUp = new AbortController();
    const options = { signal: giveUp.signal };
    const { client } = connect({ a: () => 'silence' });
    const command = client.index('index-0', 'FenceBucket', args, options);
    const query = client.queryRoot('GetBucket', { name: 'x' }, options);
    const beforeAny = connect({ a: () => notLeader('b'), b: () => notLeader('a') });
    beforeAny.clock.sleep = () => new Promise(() => undefined);
    const refused = beforeAny.client.index('index-0', 'FenceBucket', args, options);
    const outcomes = Promise.allSettled([command, query, refused]);
    await new Promise((resolve) => setImmediate(resolve));
    giveUp.abort();
    expect(await outcomes).toMatchObject([
      { reason: { code: 'OUTCOME_UNKNOWN' } },
      { reason: { code: 'CANCELLED' } },
      { reason: { code: 'CANCELLED' } },
    ]);
  });

  it('a command that never left, and any query, end as UNAVAILABLE', async () => {
    const { client } = connect({ a: () => gone(false), b: () => notLeader('a') });
    await expect(fence(client)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    const other = connect({ a: () => gone(true) });
    await expect(other.client.queryRoot('GetBucket', { name: 'x' })).rejects.toMatchObject({
      code: 'UNAVAILABLE',
    });
  });

  it('reports refusals at once', async () => {
    const { client, proposed } = connect({ a: () => failure('BUCKET_FENCED') });
    await expect(fence(client)).rejects.toMatchObject({ code: 'BUCKET_FENCED' });
    expect(proposed()).toHaveLength(1);
  });

  it('tells at which index an answer holds, but not after an attempt that may have been applied', async () => {
    const told: (number | null)[] = [];
    const options = { timeoutMs: 10_000, onLogIndex: (index: number | null) => told.push(index) };
    const args = { bucketId: 'b', isFenced: true, mark: 1 };
    const answer: Answer = { ok: true, result: null, logIndex: 12 };
    const refusal: Answer = { ok: false, code: 'BUCKET_FENCED', detail: {}, logIndex: 13 };
    const { client, proposed } = connect({ a: () => answer });
    await client.index('index-0', 'FenceBucket', args, options);
    expect(proposed()[0]?.wantsIndex).toBe(true);
    const refused = connect({ a: () => refusal }).client;
    await expect(refused.index('index-0', 'FenceBucket', args, options)).rejects.toThrow();
    // A command that was applied before answers again what it answered then, at another index.
    const retried = connect({ a: () => gone(true), b: () => answer }).client;
    await retried.index('index-0', 'FenceBucket', args, options);
    await fence(client);
    expect(told).toEqual([12, 13, null]);
  });

  it('F3: issues a refused command again in the time of the cluster, under another id', async () => {
    const nowMs = 1_900_000_000_000;
    const { client, proposed } = connect({
      a: (request) =>
        (request as Propose).command.issuedMs < nowMs ? failure('COMMAND_EXPIRED', { nowMs }) : OK,
    });
    await fence(client);
    await fence(client);
    const [first, second, third] = proposed().map(({ command }) => command);
    expect(first!.commandId).not.toBe(second!.commandId);
    expect(second!.issuedMs).toBe(nowMs);
    expect(third!.issuedMs).toBeGreaterThanOrEqual(nowMs);
  });

  it('F3: never issues again what may have been applied', async () => {
    let attempts = 0;
    const { client, proposed } = connect({
      a: () => ((attempts += 1) === 1 ? gone(true) : failure('COMMAND_EXPIRED', { nowMs: 1 })),
    });
    await expect(fence(client)).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN' });
    expect(new Set(proposed().map(({ command }) => command.commandId)).size).toBe(1);
  });

  it('witnesses: every node is asked for itself, and silence is not an answer', async () => {
    const witness = (nodeId: string) => ({ nodeId, appliedMs: 1, isReferenced: [true] });
    const { client, nodes } = connect({
      m1: () => ({ ok: true, result: witness('m1') }),
      m2: () => failure('UNAVAILABLE'),
      m3: () => gone(true),
    });
    expect(await client.witnessBlobs('index-0', ['b'])).toEqual({
      nodeCount: 3,
      witnesses: [witness('m1')],
    });
    const asked = [...nodes.values()].map(({ requests }) => requests);
    const request = { kind: 'witness', group: 'index-0', blobIds: ['b'] };
    expect(asked).toEqual([[request], [request], [request]]);
  });
});

describe('asking who leads', () => {
  it('tells each answer by itself, and of a refusal that the node is there', async () => {
    const groups = [{ group: 'root', term: 3, leader: 'a' }];
    const { client, nodes } = connect({
      a: () => ({ ok: true, result: groups }),
      b: () => failure('OVERLOADED'),
      c: () => gone(false),
      d: () => 'silence',
    });
    const told: [string, unknown][] = [];
    const asked = client.askLeaders((nodeId, said) => told.push([nodeId, said]));
    expect(asked).toEqual(['a', 'b', 'c', 'd']);
    for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
    expect(told).toEqual([
      ['a', groups],
      ['b', null],
    ]);
    expect(nodes.get('d')?.requests).toEqual([{ kind: 'leaders' }]);
  });
});
