import type { HistoryOperation, SequentialModel } from './linearizability';

/** Where in the log of a Raft group an answer holds, as the gateway says. */
export interface LogPosition {
  readonly group: string;
  /** Of a command its own entry, of a query the last entry that it has seen. */
  readonly index: number;
  readonly kind: 'command' | 'query';
}

export interface WitnessedOperation<Input, Output> extends HistoryOperation<Input, Output> {
  /** Absent when nobody can say: no answer, or one after an attempt that may have been applied. */
  readonly position?: LogPosition | null;
}

export type ReplayVerdict = 'agrees' | 'disagrees' | 'undecided';

/** With the first operation whose answer the replay does not give. */
export interface ReplayResult<Operation> {
  readonly verdict: ReplayVerdict;
  readonly failedAt: Operation | null;
}

/** So many operations of a key without position, and their places are too many to try. */
const FLOATING_MAX = 7;

/**
 * The order of the log must agree with real time: what was answered before another operation was
 * asked for comes before it. O(n log n) over all operations of all keys.
 *
 * @returns each operation that the log has too early.
 */
export function misplacedInTime<Operation extends WitnessedOperation<unknown, unknown>>(
  operations: readonly Operation[],
): readonly Operation[] {
  const byGroup = new Map<string, Operation[]>();
  for (const operation of operations) {
    if (operation.position == null) continue;
    const { group } = operation.position;
    const others = byGroup.get(group);
    if (others === undefined) byGroup.set(group, [operation]);
    else others.push(operation);
  }
  return [...byGroup.values()].flatMap((each) => misplacedInGroup(each));
}

function misplacedInGroup<Operation extends WitnessedOperation<unknown, unknown>>(
  operations: readonly Operation[],
): Operation[] {
  const byCall = operations.toSorted((a, b) => a.calledAt - b.calledAt);
  const byReturn = operations.toSorted((a, b) => a.returnedAt - b.returnedAt);
  const misplaced: Operation[] = [];
  let answered = 0;
  let latest = -1;
  for (const operation of byCall) {
    for (;;) {
      const earlier = byReturn[answered];
      if (earlier === undefined || earlier.returnedAt >= operation.calledAt) break;
      latest = Math.max(latest, pointOf(earlier));
      answered += 1;
    }
    const point = pointOf(operation);
    // Two queries may have seen the same; a command is an entry of its own.
    const isCommand = operation.position?.kind === 'command';
    if (latest > point || (isCommand && latest === point)) misplaced.push(operation);
  }
  return misplaced;
}

/** A query comes right behind the entry that it saw last. */
function pointOf({ position }: WitnessedOperation<unknown, unknown>): number {
  if (position == null) return -1;
  return position.index * 2 + (position.kind === 'query' ? 1 : 0);
}

interface Configuration<State> {
  readonly state: State;
  /** Bit i: the i-th floating operation has happened. */
  readonly happened: number;
}

/**
 * Replays the operations of one key in the order of the log: the model must give every answer.
 * Operations without position may happen anywhere within their time, and those without an answer
 * at any time after their call, or never. Linear but for those.
 */
export function replayInLogOrder<State, Input, Output>(
  model: SequentialModel<State, Input, Output>,
  operations: readonly WitnessedOperation<Input, Output>[],
): ReplayResult<WitnessedOperation<Input, Output>> {
  const placed = operations
    .filter(({ position }) => position != null)
    .sort((a, b) => pointOf(a) - pointOf(b));
  const floating = operations.filter(({ position }) => position == null);
  if (floating.length > FLOATING_MAX) return { verdict: 'undecided', failedAt: null };
  const replay = new Replay(model, floating);
  const failedAt = placed.find((operation) => !replay.take(operation)) ?? null;
  const isRight = failedAt === null && replay.end();
  return { verdict: isRight ? 'agrees' : 'disagrees', failedAt };
}

class Replay<State, Input, Output> {
  readonly #model: SequentialModel<State, Input, Output>;
  readonly #floating: readonly WitnessedOperation<Input, Output>[];
  #configurations: readonly Configuration<State>[];

  constructor(
    model: SequentialModel<State, Input, Output>,
    floating: readonly WitnessedOperation<Input, Output>[],
  ) {
    this.#model = model;
    this.#floating = floating;
    this.#configurations = [{ state: model.initial, happened: 0 }];
  }

  /** False when nothing that can have happened explains the answer. */
  take({ input, output, calledAt, returnedAt }: WitnessedOperation<Input, Output>): boolean {
    const due = this.#answeredBefore(calledAt);
    const next: Configuration<State>[] = [];
    for (const { state, happened } of this.#withFloating(returnedAt)) {
      if ((happened & due) !== due) continue;
      const after = this.#model.step(state, input, output);
      if (after !== undefined) next.push({ state: after, happened });
    }
    this.#configurations = next;
    return next.length > 0;
  }

  /** Whether everything that was answered can have happened by now. */
  end(): boolean {
    const due = this.#answeredBefore(Number.POSITIVE_INFINITY);
    return this.#withFloating(Number.POSITIVE_INFINITY).some(
      ({ happened }) => (happened & due) === due,
    );
  }

  #answeredBefore(at: number): number {
    let bits = 0;
    for (const [bit, { output, returnedAt }] of this.#floating.entries()) {
      if (output !== null && returnedAt < at) bits |= 1 << bit;
    }
    return bits;
  }

  /** Everything that can be once any of what was called before `at` has happened too. */
  #withFloating(at: number): readonly Configuration<State>[] {
    if (this.#floating.length === 0) return this.#configurations;
    const found = new Map<string, Configuration<State>>();
    const pending = [...this.#configurations];
    for (let configuration = pending.pop(); configuration; configuration = pending.pop()) {
      const { state, happened } = configuration;
      const name = `${happened}/${this.#model.fingerprint(state)}`;
      if (found.has(name)) continue;
      found.set(name, configuration);
      for (const [bit, { input, output, calledAt }] of this.#floating.entries()) {
        if ((happened & (1 << bit)) !== 0 || calledAt >= at) continue;
        const after = this.#model.step(state, input, output);
        if (after !== undefined) pending.push({ state: after, happened: happened | (1 << bit) });
      }
    }
    return [...found.values()];
  }
}
