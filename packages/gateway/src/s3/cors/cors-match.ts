import type { CorsRule } from '../bucket-configuration';

/** What a browser asks about, in a preflight or with the request itself. */
export interface CorsQuestion {
  readonly origin: string;
  readonly method: string;
  /** Lower-case names; empty for the request itself. */
  readonly headers: readonly string[];
}

/** Caches must not give one origin what was answered to another. */
export const CORS_VARY = 'Origin, Access-Control-Request-Headers, Access-Control-Request-Method';

/** The headers that allow what was asked, by the first rule that does; null without any. */
export function corsAnswer(
  rules: readonly CorsRule[],
  question: CorsQuestion,
): Record<string, string> | null {
  for (const rule of rules) {
    const origin = rule.allowedOrigins.find((pattern) => matches(pattern, question.origin));
    if (origin === undefined || !rule.allowedMethods.includes(question.method)) continue;
    if (!question.headers.every((header) => isAllowedHeader(rule, header))) continue;
    return answerOf(rule, origin, question);
  }
  return null;
}

function isAllowedHeader(rule: CorsRule, header: string): boolean {
  return rule.allowedHeaders.some((pattern) => matches(pattern.toLowerCase(), header));
}

/** At most one `*`, which stands for any text. */
function matches(pattern: string, text: string): boolean {
  const star = pattern.indexOf('*');
  if (star < 0) return pattern === text;
  const end = pattern.slice(star + 1);
  return (
    text.length >= pattern.length - 1 &&
    text.startsWith(pattern.slice(0, star)) &&
    text.endsWith(end)
  );
}

function answerOf(rule: CorsRule, origin: string, question: CorsQuestion): Record<string, string> {
  const isEverybody = origin === '*';
  const headers: Record<string, string> = {
    'access-control-allow-origin': isEverybody ? '*' : question.origin,
    'access-control-allow-methods': rule.allowedMethods.join(', '),
    vary: CORS_VARY,
  };
  // Browsers refuse credentials for `*`, and so do we.
  if (!isEverybody) headers['access-control-allow-credentials'] = 'true';
  if (question.headers.length > 0) {
    headers['access-control-allow-headers'] = question.headers.join(', ');
  }
  if (rule.exposeHeaders.length > 0) {
    headers['access-control-expose-headers'] = rule.exposeHeaders.join(', ');
  }
  if (rule.maxAgeSeconds !== null) {
    headers['access-control-max-age'] = String(rule.maxAgeSeconds);
  }
  return headers;
}
