/**
 * Crashes on a bug. Always on, also in production: a process that knows it is wrong must stop
 * before it acknowledges anything. Bad input is never an assertion; it is a `StoreError` or an
 * `S3Error`.
 */
export function assert(condition: unknown, message = 'assertion failed'): asserts condition {
  if (condition !== true && !condition) throw new AssertionError(message);
}

/** Thrown by {@link assert}. Nothing catches it: the process ends. */
export class AssertionError extends Error {
  override readonly name = 'AssertionError';
}

/** Marks the end of an exhaustive switch; the type checker refuses a forgotten case. */
export function unreachable(value: never): never {
  throw new AssertionError(`unreachable: ${JSON.stringify(value)}`);
}

/** Returns `value`, or crashes when it is null or undefined. */
export function required<T>(value: T | null | undefined, what: string): T {
  if (value == null) throw new AssertionError(`${what} is missing`);
  return value;
}
