/** One finished or unfinished operation of a client, in virtual milliseconds. */
export interface Operation {
  readonly kind: 'write' | 'read';
  readonly group: string;
  readonly startMs: number;
  /** Infinity when the client does not know the outcome. */
  readonly endMs: number;
  /**
   * Its place in the order of the log: the index at which the write took effect, or the last index
   * that the read saw applied.
   */
  readonly index: number;
}

/**
 * Checks that the operations of each group are linearizable, given the order that the log claims. A
 * write stands at its index, a read just behind the last entry that it saw. That order explains all
 * answers (the model says so of each); it is a witness exactly when no operation stands before one
 * that had ended when it began.
 */
export function checkLinearizable(operations: readonly Operation[]): void {
  const byGroup = new Map<string, Operation[]>();
  for (const operation of operations) {
    const list = byGroup.get(operation.group);
    if (list === undefined) byGroup.set(operation.group, [operation]);
    else list.push(operation);
  }
  for (const list of byGroup.values()) checkGroup(list);
}

function position({ kind, index }: Operation): number {
  return kind === 'write' ? index : index + 0.5;
}

function checkGroup(operations: readonly Operation[]): void {
  const byStart = [...operations].sort((a, b) => a.startMs - b.startMs);
  const byEnd = [...operations].sort((a, b) => a.endMs - b.endMs);
  let ended = 0;
  let latest: Operation | null = null;
  for (const operation of byStart) {
    for (;;) {
      const candidate = byEnd[ended];
      if (candidate === undefined || candidate.endMs >= operation.startMs) break;
      if (latest === null || position(candidate) > position(latest)) latest = candidate;
      ended += 1;
    }
    if (latest !== null && position(operation) < position(latest)) {
      throw new Error(
        `not linearizable: ${JSON.stringify(operation)} began after the end of ` +
          JSON.stringify(latest),
      );
    }
  }
}
