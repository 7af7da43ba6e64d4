import { malformedPolicy } from './malformed-policy';

const NOT_JSON = 'This policy contains invalid Json';
const FIRST_BYTE = "Policies must be valid JSON and the first byte must be '{'";

/**
 * JSON.parse that refuses an object with the same name twice: of two `Condition`s the last would
 * win silently, and what the author meant to restrict would be open.
 *
 * @throws S3Error MalformedPolicy
 */
export function parseJson(text: string): unknown {
  if (!text.startsWith('{')) throw malformedPolicy(FIRST_BYTE);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw malformedPolicy(NOT_JSON);
  }
  requireDistinctNames(text);
  return value;
}

/** Every string of a text that is known to be JSON, and the marks between them. */
const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\],:]/g;

function requireDistinctNames(text: string): void {
  /** Names of the objects that are open here; null for an array. */
  const open: (Set<string> | null)[] = [];
  let string = '';
  for (const [token] of text.matchAll(TOKEN)) {
    if (token === '{') open.push(new Set());
    else if (token === '[') open.push(null);
    else if (token === '}' || token === ']') open.pop();
    else if (token === ':') {
      const names = open.at(-1);
      const name = JSON.parse(string) as string;
      if (names?.has(name) === true) throw malformedPolicy(NOT_JSON);
      names?.add(name);
    } else if (token !== ',') string = token;
  }
}
