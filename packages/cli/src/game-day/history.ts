import type { HistoryOperation } from './linearizability';
import { checkLinearizability } from './linearizability';
import { OBJECT_MODEL } from './object-model';
import type { ObjectInput, ObjectOutput } from './object-model';

type KeyOperation = HistoryOperation<ObjectInput, ObjectOutput>;

/** A page of keys under the workload's prefix, and when it was asked for. */
export interface ListObservation {
  readonly keys: ReadonlySet<string>;
  /** The page ends here; null when it has everything. */
  readonly lastKey: string | null;
  readonly calledAt: number;
  readonly returnedAt: number;
}

export interface HistoryVerdict {
  readonly operations: number;
  readonly keys: number;
  /** Each one a broken promise, in words. */
  readonly violations: readonly string[];
  /** Keys whose check ran out of memory: neither right nor wrong. */
  readonly undecidedKeys: readonly string[];
}

/** What every client asked and was told, by key. */
export class History {
  readonly #byKey = new Map<string, KeyOperation[]>();
  readonly #lists: ListObservation[] = [];
  /** Found by the workload itself: bytes that do not match their ETag. */
  readonly violations: string[] = [];

  record(key: string, operation: KeyOperation): void {
    const operations = this.#byKey.get(key);
    if (operations === undefined) this.#byKey.set(key, [operation]);
    else operations.push(operation);
  }

  recordList(observation: ListObservation): void {
    this.#lists.push(observation);
  }

  get keys(): readonly string[] {
    return [...this.#byKey.keys()];
  }

  operationsOf(key: string): readonly KeyOperation[] {
    return this.#byKey.get(key) ?? [];
  }

  /** Checks each key for itself, which is enough: linearizability is local (Herlihy and Wing). */
  check(): HistoryVerdict {
    const violations = [...this.violations];
    const undecidedKeys: string[] = [];
    let operations = this.#lists.length;
    for (const [key, history] of this.#byKey) {
      operations += history.length;
      const verdict = checkLinearizability(OBJECT_MODEL, history);
      if (verdict === 'not-linearizable') violations.push(`${key}: no order explains its history`);
      if (verdict === 'undecided') undecidedKeys.push(key);
    }
    violations.push(...this.#checkLists());
    return { operations, keys: this.#byKey.size, violations, undecidedKeys };
  }

  /** A list must show what was there all the while, and not what was absent all the while. */
  #checkLists(): string[] {
    const violations: string[] = [];
    for (const list of this.#lists) {
      for (const [key, history] of this.#byKey) {
        if (list.lastKey !== null && key > list.lastKey) continue;
        const presence = presenceDuring(history, list);
        const isListed = list.keys.has(key);
        if (presence === 'present' && !isListed) violations.push(`${key}: missing from a list`);
        if (presence === 'absent' && isListed) violations.push(`${key}: listed but absent`);
      }
    }
    return violations;
  }
}

/**
 * Whether the key certainly was there, or not, during the whole of a list: its last change had been
 * answered before, no other overlapped it, and none began before the list was over.
 */
function presenceDuring(
  history: readonly KeyOperation[],
  { calledAt, returnedAt }: ListObservation,
): 'present' | 'absent' | 'unsure' {
  let last: KeyOperation | null = null;
  for (const operation of history) {
    const { input, output } = operation;
    if (input.kind === 'get' || output?.kind === 'refused') continue;
    if (operation.calledAt > returnedAt) continue;
    if (output === null || operation.returnedAt > calledAt) return 'unsure';
    if (last === null || operation.calledAt > last.returnedAt) last = operation;
    else if (operation.returnedAt > last.calledAt) return 'unsure';
  }
  if (last === null) return 'absent';
  return last.input.kind === 'put' ? 'present' : 'absent';
}
