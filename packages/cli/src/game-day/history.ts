import { checkLinearizability } from './linearizability';
import type { SequentialModel } from './linearizability';
import { OBJECT_MODEL } from './object-model';
import type { ObjectInput, ObjectOutput } from './object-model';
import { UPLOAD_MODEL } from './upload-model';
import type { UploadInput, UploadOutput } from './upload-model';
import { VERSION_MODEL } from './version-model';
import type { VersionInput, VersionOutput } from './version-model';
import { misplacedInTime, replayInLogOrder } from './witness';
import type { WitnessedOperation } from './witness';

type KeyOperation = WitnessedOperation<ObjectInput, ObjectOutput>;

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
  /** Of them, those with a place in a Raft log, by which they were replayed. */
  readonly witnessed: number;
  readonly keys: number;
  /** Each one a broken promise, in words. */
  readonly violations: readonly string[];
  /** Keys that neither check could decide: neither right nor wrong. */
  readonly undecidedKeys: readonly string[];
}

/** Beyond, the search of a key gives up; the replay still decides it. */
const CONFIGURATIONS_MAX = 400_000;

/** What became of one thing that is linearizable for itself, and how it is checked. */
class Register<State, Input, Output> {
  readonly operations: WitnessedOperation<Input, Output>[] = [];
  readonly #model: SequentialModel<State, Input, Output>;

  constructor(model: SequentialModel<State, Input, Output>) {
    this.#model = model;
  }

  /** Two checks that know nothing of each other. */
  check(name: string, violations: string[]): 'decided' | 'undecided' {
    const { verdict: replay, failedAt } = replayInLogOrder(this.#model, this.operations);
    if (replay === 'disagrees') {
      const where = failedAt === null ? 'the end' : JSON.stringify(failedAt);
      violations.push(`${name}: replayed in the order of the log, other answers at ${where}`);
    }
    const search = checkLinearizability(this.#model, this.operations, {
      configurationsMax: CONFIGURATIONS_MAX,
    });
    if (search === 'not-linearizable') violations.push(`${name}: no order explains its history`);
    return search === 'undecided' && replay === 'undecided' ? 'undecided' : 'decided';
  }
}

/** Registers of one kind, by name. */
class Registers<State, Input, Output> {
  readonly byName = new Map<string, Register<State, Input, Output>>();
  readonly #model: SequentialModel<State, Input, Output>;

  constructor(model: SequentialModel<State, Input, Output>) {
    this.#model = model;
  }

  record(name: string, operation: WitnessedOperation<Input, Output>): void {
    let register = this.byName.get(name);
    if (register === undefined) {
      register = new Register(this.#model);
      this.byName.set(name, register);
    }
    register.operations.push(operation);
  }
}

/** What every client asked and was told, by key. */
export class History {
  readonly #objects = new Registers(OBJECT_MODEL);
  readonly #versions = new Registers(VERSION_MODEL);
  readonly #uploads = new Registers(UPLOAD_MODEL);
  readonly #lists: ListObservation[] = [];
  /** Found by the workload itself: bytes that do not match their ETag. */
  readonly violations: string[] = [];

  record(key: string, operation: KeyOperation): void {
    this.#objects.record(key, operation);
  }

  /** Of a key of a versioned bucket. */
  recordVersion(key: string, operation: WitnessedOperation<VersionInput, VersionOutput>): void {
    this.#versions.record(key, operation);
  }

  recordUpload(id: string, operation: WitnessedOperation<UploadInput, UploadOutput>): void {
    this.#uploads.record(id, operation);
  }

  recordList(observation: ListObservation): void {
    this.#lists.push(observation);
  }

  get keys(): readonly string[] {
    return [...this.#objects.byName.keys()];
  }

  get versionedKeys(): readonly string[] {
    return [...this.#versions.byName.keys()];
  }

  /**
   * Checks each key for itself, which is enough: linearizability is local (Herlihy and Wing). The
   * order of the log against real time is checked over all of them.
   */
  check(): HistoryVerdict {
    const violations = [...this.violations];
    const undecidedKeys: string[] = [];
    const all = [this.#objects, this.#versions, this.#uploads];
    let keys = 0;
    for (const { byName } of all) {
      for (const [name, register] of byName) {
        keys += 1;
        if (register.check(name, violations) === 'undecided') undecidedKeys.push(name);
      }
    }
    const operations: WitnessedOperation<unknown, unknown>[] = all.flatMap(({ byName }) =>
      [...byName.values()].flatMap(
        (register) => register.operations as WitnessedOperation<unknown, unknown>[],
      ),
    );
    for (const { position } of misplacedInTime(operations)) {
      violations.push(
        `${position?.group ?? '?'}: what was answered before entry ${position?.index ?? '?'} was ` +
          'asked for comes after it in the log',
      );
    }
    violations.push(...this.#checkLists());
    return {
      operations: operations.length + this.#lists.length,
      witnessed: operations.filter(({ position }) => position != null).length,
      keys,
      violations,
      undecidedKeys,
    };
  }

  /** A list must show what was there all the while, and not what was absent all the while. */
  #checkLists(): string[] {
    const violations: string[] = [];
    for (const list of this.#lists) {
      for (const [key, { operations }] of this.#objects.byName) {
        if (list.lastKey !== null && key > list.lastKey) continue;
        const presence = presenceDuring(operations, list);
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
