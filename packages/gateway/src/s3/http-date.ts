/** IMF-fixdate for headers, whole seconds (V-22). */
export function httpDate(timeMs: number): string {
  return new Date(wholeSeconds(timeMs)).toUTCString();
}

/** ISO 8601 for documents, whole seconds written as `.000Z` (V-22). */
export function isoDate(timeMs: number): string {
  return new Date(wholeSeconds(timeMs)).toISOString();
}

export function wholeSeconds(timeMs: number): number {
  return Math.floor(timeMs / 1000) * 1000;
}

/** The three forms of RFC 9110, section 5.6.7, and ISO 8601, which AWS takes as well. */
const HTTP_DATE = /^(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*,? .+$/i;
const ISO_DATE = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})$/;

/** Milliseconds since the epoch, or null when the text is no date: such headers are ignored (C-3). */
export function parseHttpDate(text: string | undefined): number | null {
  if (text === undefined || !(HTTP_DATE.test(text) || ISO_DATE.test(text))) return null;
  const timeMs = Date.parse(text);
  return Number.isNaN(timeMs) ? null : timeMs;
}
