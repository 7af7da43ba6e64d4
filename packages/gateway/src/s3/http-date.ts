/** IMF-fixdate for headers, whole seconds (V-22). */
export function httpDate(timeMs: number): string {
  return new Date(wholeSeconds(timeMs)).toUTCString();
}

const DAY_SECONDS = 86_400;
const TWO_DIGITS = Array.from({ length: 60 }, (_, value) => String(value).padStart(2, '0'));
/** The last day that was written: a page of a listing has a thousand times of a few days. */
let knownDay = Number.NaN;
let knownDayText = '';

/** ISO 8601 for documents, whole seconds written as `.000Z` (V-22). */
export function isoDate(timeMs: number): string {
  const seconds = Math.floor(timeMs / 1000);
  const day = Math.floor(seconds / DAY_SECONDS);
  if (day !== knownDay) {
    knownDayText = new Date(day * DAY_SECONDS * 1000)
      .toISOString()
      .slice(0, -'00:00:00.000Z'.length);
    knownDay = day;
  }
  const ofDay = seconds - day * DAY_SECONDS;
  const hours = TWO_DIGITS[Math.floor(ofDay / 3600)] ?? '';
  const minutes = TWO_DIGITS[Math.floor(ofDay / 60) % 60] ?? '';
  return `${knownDayText}${hours}:${minutes}:${TWO_DIGITS[ofDay % 60] ?? ''}.000Z`;
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
