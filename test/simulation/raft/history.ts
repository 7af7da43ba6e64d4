/** One finished or unfinished operation of a client, in virtual milliseconds. */
export interface Operation {
  readonly kind: 'write' | 'read';
  readonly group: string;
  readonly key: string;
  readonly startMs: number;
  /** Infinity when the client does not know the outcome. */
  readonly endMs: number;
  /**
   * Its place in the order of all writes: the log index of the write itself, or of the write that
   * was read; 0 for a register that nobody has written.
   */
  readonly version: number;
}

/**
 * Checks that the operations on each register are linearizable, given the order that the log
 * claims. A write stands at its version, a read just behind the write that it saw. The order is a
 * witness exactly when no operation stands before one that had ended when it began.
 */
export function checkLinearizable(operations: readonly Operation[]): void {
  const byRegister = new Map<string, Operation[]>();
  for (const operation of operations) {
    const register = `${operation.group}/${operation.key}`;
    const list = byRegister.get(register);
    if (list === undefined) byRegister.set(register, [operation]);
    else list.push(operation);
  }
  for (const [register, list] of byRegister) checkRegister(register, list);
}

function position({ kind, version }: Operation): number {
  return kind === 'write' ? version : version + 0.5;
}

function checkRegister(register: string, operations: readonly Operation[]): void {
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
        `not linearizable: ${register}: ${JSON.stringify(operation)} began after the end of ` +
          JSON.stringify(latest),
      );
    }
  }
}
