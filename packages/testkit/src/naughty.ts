/** Which call of which method goes wrong. */
export interface Misbehaviour<T> {
  readonly method: keyof T & string;
  /** 1 is the first call. */
  readonly nth: number;
  readonly error: Error;
}

/**
 * Wraps any object so that the nth call of a method rejects with an error instead of running. Every
 * other call goes through.
 */
export function naughty<T extends object>(target: T, misbehaviour: Misbehaviour<T>): T {
  let calls = 0;
  return new Proxy(target, {
    get(object, property) {
      const value: unknown = Reflect.get(object, property);
      if (typeof value !== 'function') return value;
      const method = value as (...args: unknown[]) => unknown;
      return (...args: unknown[]) => {
        if (property === misbehaviour.method) {
          calls += 1;
          if (calls === misbehaviour.nth) return Promise.reject(misbehaviour.error);
        }
        return method.apply(object, args);
      };
    },
  });
}
