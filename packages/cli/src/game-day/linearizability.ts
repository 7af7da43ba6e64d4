import { assert } from '@azimuth/common';

/** One operation of a history. Times are of one monotone clock; only their order counts. */
export interface HistoryOperation<Input, Output> {
  readonly input: Input;
  /** Null when nobody knows whether it took effect: then it may have at any time after its call. */
  readonly output: Output | null;
  readonly calledAt: number;
  /** Ignored when the output is unknown. */
  readonly returnedAt: number;
}

/** A sequential specification. States are immutable. */
export interface SequentialModel<State, Input, Output> {
  readonly initial: State;
  /**
   * The state after `input` answered `output` in `state`; undefined when it cannot have answered
   * that. With a null output: the state after it, whatever it answered.
   */
  step(state: State, input: Input, output: Output | null): State | undefined;
  /** Equal for equal states only. */
  fingerprint(state: State): string;
}

export type LinearizabilityVerdict = 'linearizable' | 'not-linearizable' | 'undecided';

export interface CheckOptions {
  /** Memory bound: configurations remembered before the check gives up; default 4 million. */
  readonly configurationsMax?: number;
}

const CONFIGURATIONS_MAX = 4_000_000;

/** A call or a return, in the order of time; returns of unknown operations do not exist. */
interface Entry {
  /** Index into the operations, sorted by call. */
  readonly operation: number;
  readonly kind: 'call' | 'return';
  /** Of a call: its return, or null. */
  match: Entry | null;
  previous: Entry;
  next: Entry | null;
}

/**
 * Is there an order of the operations that respects real time and that the model accepts? The
 * search of Wing and Gong with Lowe's memory of configurations ("Testing for linearizability",
 * 2017, algorithm 3). Exponential in the number of operations that overlap: give it one key at a
 * time, with few clients.
 */
export function checkLinearizability<State, Input, Output>(
  model: SequentialModel<State, Input, Output>,
  history: readonly HistoryOperation<Input, Output>[],
  { configurationsMax = CONFIGURATIONS_MAX }: CheckOptions = {},
): LinearizabilityVerdict {
  const operations = history.toSorted((a, b) => a.calledAt - b.calledAt);
  const search = new Search(model, operations);
  return search.run(configurationsMax);
}

/** What is undone when a choice turns out wrong. */
interface Choice<State> {
  readonly call: Entry;
  readonly state: State;
}

class Search<State, Input, Output> {
  readonly #model: SequentialModel<State, Input, Output>;
  readonly #operations: readonly HistoryOperation<Input, Output>[];
  readonly #head: Entry;
  readonly #seen = new Set<string>();
  readonly #isTaken: Uint8Array;
  #returnsLeft = 0;
  /** All operations before this are taken, but for unknown ones. */
  #low = 0;
  /** No operation from here on is taken. */
  #high = 0;
  #takenUnknown: readonly number[] = [];

  constructor(
    model: SequentialModel<State, Input, Output>,
    operations: readonly HistoryOperation<Input, Output>[],
  ) {
    this.#model = model;
    this.#operations = operations;
    this.#isTaken = new Uint8Array(operations.length);
    this.#head = linkEntries(operations);
    this.#returnsLeft = operations.filter(({ output }) => output !== null).length;
  }

  run(configurationsMax: number): LinearizabilityVerdict {
    const choices: Choice<State>[] = [];
    let state = this.#model.initial;
    let entry = this.#head.next;
    while (this.#returnsLeft > 0) {
      // A history that still has returns has entries.
      if (entry?.kind === 'call') {
        const { input, output } = this.#operation(entry);
        const after = this.#model.step(state, input, output);
        if (after !== undefined && this.#take(entry, after)) {
          if (this.#seen.size > configurationsMax) return 'undecided';
          choices.push({ call: entry, state });
          state = after;
          entry = this.#head.next;
        } else {
          entry = entry.next;
        }
      } else {
        // An operation has returned before the next could be called, and nothing could be it.
        const choice = choices.pop();
        if (choice === undefined) return 'not-linearizable';
        this.#untake(choice.call);
        state = choice.state;
        entry = choice.call.next;
      }
    }
    return 'linearizable';
  }

  #operation(entry: Entry): HistoryOperation<Input, Output> {
    const operation = this.#operations[entry.operation];
    assert(operation !== undefined, 'an entry without operation');
    return operation;
  }

  /** False when the configuration that this leads to was there before. */
  #take(call: Entry, after: State): boolean {
    const { operation } = call;
    const saved = { low: this.#low, high: this.#high, unknown: this.#takenUnknown };
    this.#isTaken[operation] = 1;
    if (call.match === null)
      this.#takenUnknown = [...this.#takenUnknown, operation].sort(ascending);
    this.#high = Math.max(this.#high, operation + 1);
    this.#raiseLow();
    const configuration = this.#configuration(after);
    if (this.#seen.has(configuration)) {
      this.#isTaken[operation] = 0;
      this.#low = saved.low;
      this.#high = saved.high;
      this.#takenUnknown = saved.unknown;
      return false;
    }
    this.#seen.add(configuration);
    unlink(call);
    if (call.match !== null) {
      unlink(call.match);
      this.#returnsLeft -= 1;
    }
    return true;
  }

  #untake(call: Entry): void {
    const { operation } = call;
    this.#isTaken[operation] = 0;
    if (call.match === null) {
      this.#takenUnknown = this.#takenUnknown.filter((each) => each !== operation);
    } else {
      relink(call.match);
      this.#returnsLeft += 1;
      this.#low = Math.min(this.#low, operation);
    }
    relink(call);
    while (this.#high > 0 && this.#isTaken[this.#high - 1] === 0) this.#high -= 1;
  }

  #raiseLow(): void {
    while (this.#low < this.#operations.length && this.#isSettled(this.#low)) this.#low += 1;
  }

  #isSettled(operation: number): boolean {
    return this.#isTaken[operation] === 1 || this.#operations[operation]?.output === null;
  }

  /** Which operations are taken, and the state: nearly all are a prefix, so that it is short. */
  #configuration(state: State): string {
    let beyond = '';
    for (let operation = this.#low; operation < this.#high; operation += 1) {
      const isKnown = this.#operations[operation]?.output !== null;
      if (isKnown && this.#isTaken[operation] === 1) beyond += `${operation - this.#low},`;
    }
    const unknown = this.#takenUnknown.join(',');
    return `${this.#low}/${beyond}/${unknown}/${this.#model.fingerprint(state)}`;
  }
}

const ascending = (a: number, b: number): number => a - b;

/** The entries as a list in the order of time; a call goes before a return of the same instant. */
function linkEntries<Input, Output>(operations: readonly HistoryOperation<Input, Output>[]): Entry {
  const head = { operation: -1, kind: 'call', match: null, next: null } as unknown as Entry;
  const timed: { readonly at: number; readonly entry: Entry }[] = [];
  for (const [operation, { output, calledAt, returnedAt }] of operations.entries()) {
    const call: Entry = { operation, kind: 'call', match: null, previous: head, next: null };
    timed.push({ at: calledAt, entry: call });
    if (output === null) continue;
    call.match = { operation, kind: 'return', match: null, previous: head, next: null };
    timed.push({ at: returnedAt, entry: call.match });
  }
  timed.sort((a, b) => a.at - b.at || rank(a.entry) - rank(b.entry));
  let last = head;
  for (const { entry } of timed) {
    last.next = entry;
    entry.previous = last;
    last = entry;
  }
  return head;
}

function rank({ kind }: Entry): number {
  return kind === 'call' ? 0 : 1;
}

function unlink(entry: Entry): void {
  entry.previous.next = entry.next;
  if (entry.next !== null) entry.next.previous = entry.previous;
}

/** Undoes the last `unlink` that is not undone yet; they must be undone in the opposite order. */
function relink(entry: Entry): void {
  entry.previous.next = entry;
  if (entry.next !== null) entry.next.previous = entry;
}
