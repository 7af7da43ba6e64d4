export const pause = (delayMs: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, delayMs));

const POLL_MS = 250;

/** Asks again and again; rejects with what it was waiting for. */
export async function eventually(
  what: string,
  timeoutMs: number,
  isDone: () => boolean | Promise<boolean>,
): Promise<void> {
  const deadlineMs = performance.now() + timeoutMs;
  while (!(await isDone())) {
    if (performance.now() > deadlineMs) throw new Error(`waited ${timeoutMs} ms: ${what}`);
    await pause(POLL_MS);
  }
}

/** Tries until it succeeds, and answers that; after `timeoutMs` rejects with its last failure. */
export async function soon<T>(timeoutMs: number, attempt: () => Promise<T>): Promise<T> {
  const deadlineMs = performance.now() + timeoutMs;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (performance.now() > deadlineMs) throw error;
    }
    await pause(POLL_MS);
  }
}
