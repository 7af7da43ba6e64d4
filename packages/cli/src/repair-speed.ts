import type { Clock } from '@azimuth/common';

const SCRAPE_TIMEOUT_MS = 3_000;
const REBUILT_BYTES = /^azimuth_curator_bytes_rebuilt_total(?:\{[^}]*\})? (\S+)$/m;

/** Reads a page of metrics; null when the process does not answer. Injected by tests. */
export type ReadMetrics = (adminUrl: string) => Promise<string | null>;

/**
 * Bytes of shards that the curators rebuild in a second, by their metrics at two moments. Null when
 * nothing was rebuilt meanwhile: an idle cluster says nothing of how fast it could be.
 */
export async function measureRepairSpeed(
  adminUrls: readonly string[],
  seconds: number,
  { clock, readMetrics }: { readonly clock: Clock; readonly readMetrics: ReadMetrics },
): Promise<number | null> {
  const before = await rebuiltBytes(adminUrls, readMetrics);
  const startedMs = clock.monotonicMs();
  await clock.sleep(seconds * 1_000);
  const after = await rebuiltBytes(adminUrls, readMetrics);
  const elapsedSeconds = (clock.monotonicMs() - startedMs) / 1_000;
  let bytes = 0;
  for (const [url, now] of after) {
    // A curator that started anew counts from zero.
    const then = before.get(url);
    if (then !== undefined && now > then) bytes += now - then;
  }
  return bytes === 0 ? null : bytes / elapsedSeconds;
}

async function rebuiltBytes(
  adminUrls: readonly string[],
  readMetrics: ReadMetrics,
): Promise<ReadonlyMap<string, number>> {
  const pages = await Promise.all(
    adminUrls.map(async (url) => ({ url, text: await readMetrics(url) })),
  );
  return new Map(
    pages.flatMap(({ url, text }) => {
      const value = Number(REBUILT_BYTES.exec(text ?? '')?.[1] ?? Number.NaN);
      return Number.isFinite(value) ? [[url, value] as const] : [];
    }),
  );
}

/** Over HTTP, as Prometheus reads them. */
export const fetchMetrics: ReadMetrics = async (adminUrl) => {
  try {
    const answer = await fetch(`${adminUrl}/metrics`, {
      signal: AbortSignal.timeout(SCRAPE_TIMEOUT_MS),
    });
    return answer.ok ? await answer.text() : null;
  } catch {
    return null;
  }
};
