/** Where the value of a policy variable comes from: condition keys by lower-case name. */
export type VariableSource = (key: string) => readonly string[] | undefined;

/** A text, a wildcard or a variable of a pattern. */
type Part =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'any' }
  | { readonly kind: 'one' }
  | { readonly kind: 'variable'; readonly key: string; readonly fallback: string | null };

/**
 * A text of a policy in which `*`, `?` and `${…}` may stand. What a variable is replaced by is
 * taken literally: a user named `*` gets no wildcard.
 */
export interface PolicyPattern {
  readonly source: string;
  readonly parts: readonly Part[];
  /** The text itself when the pattern has neither wildcards nor variables. */
  readonly literal: string | null;
  /** What every matching text begins with: most patterns are decided by it. */
  readonly prefix: string;
  /** Nothing but a star follows the prefix. */
  readonly isPrefix: boolean;
  readonly hasWildcard: boolean;
  readonly hasVariable: boolean;
}

export interface PatternOptions {
  readonly wildcards: boolean;
  /** Policies of 2008-10-17 take `${…}` literally. */
  readonly variables: boolean;
}

const ESCAPED: ReadonlySet<string> = new Set(['*', '?', '$']);

export function parsePattern(source: string, options: PatternOptions): PolicyPattern {
  const parts = partsOf(source, options);
  const [first, ...behind] = parts;
  const prefix = first?.kind === 'text' ? first.text : '';
  const rest = first?.kind === 'text' ? behind : parts;
  return {
    source,
    parts,
    literal: rest.length === 0 ? prefix : null,
    prefix,
    isPrefix: rest.length === 1 && rest[0]?.kind === 'any',
    hasWildcard: rest.some(({ kind }) => kind === 'any' || kind === 'one'),
    hasVariable: rest.some(({ kind }) => kind === 'variable'),
  };
}

function partsOf(source: string, options: PatternOptions): readonly Part[] {
  const parts: Part[] = [];
  let text = '';
  const push = (part: Part): void => {
    if (text !== '') parts.push({ kind: 'text', text });
    text = '';
    parts.push(part);
  };
  for (let at = 0; at < source.length; at += 1) {
    const character = source[at] ?? '';
    const end = variableEnd(source, at, options);
    if (end !== -1) {
      const variable = source.slice(at + 2, end);
      if (ESCAPED.has(variable)) text += variable;
      else push(parseVariable(variable));
      at = end;
    } else if (options.wildcards && (character === '*' || character === '?')) {
      push({ kind: character === '*' ? 'any' : 'one' });
    } else {
      text += character;
    }
  }
  if (text !== '') parts.push({ kind: 'text', text });
  return parts;
}

/** Index of the brace that ends the variable which begins here; -1 when none does. */
function variableEnd(source: string, at: number, { variables }: PatternOptions): number {
  return variables && source.startsWith('${', at) ? source.indexOf('}', at) : -1;
}

/** `aws:username` or `aws:username, 'nobody'`. */
function parseVariable(text: string): Part {
  const match = /^([^,]+),\s*'(.*)'\s*$/.exec(text);
  return match === null
    ? { kind: 'variable', key: text.trim().toLowerCase(), fallback: null }
    : {
        kind: 'variable',
        key: (match[1] ?? '').trim().toLowerCase(),
        fallback: match[2] ?? '',
      };
}

/** A code point, or one of the wildcards. */
type Token = number;
const ANY = -1;
const ONE = -2;

function codePoints(text: string): number[] {
  const points: number[] = [];
  for (let at = 0; at < text.length; at += 1) {
    const point = text.codePointAt(at) ?? 0;
    if (point > 0xffff) at += 1;
    points.push(point);
  }
  return points;
}

/** True when the whole of `value` matches; never for a pattern whose variable has no value. */
export function matchesPattern(
  pattern: PolicyPattern,
  value: string,
  variables: VariableSource,
): boolean {
  if (pattern.literal !== null) return pattern.literal === value;
  if (!value.startsWith(pattern.prefix)) return false;
  if (pattern.isPrefix) return true;
  const tokens = tokensOf(pattern, variables);
  return tokens !== null && matchesTokens(tokens, codePoints(value));
}

/** True when no text can match, because a variable has no value. */
export function isUnresolved(pattern: PolicyPattern, variables: VariableSource): boolean {
  return pattern.hasVariable && resolvePattern(pattern, variables) === null;
}

/** The text with its variables replaced; null when a variable has no single value. */
export function resolvePattern(pattern: PolicyPattern, variables: VariableSource): string | null {
  if (pattern.literal !== null) return pattern.literal;
  let text = '';
  for (const part of pattern.parts) {
    const resolved = textOf(part, variables);
    if (resolved === null) return null;
    text += resolved;
  }
  return text;
}

function textOf(part: Part, variables: VariableSource): string | null {
  switch (part.kind) {
    case 'text':
      return part.text;
    case 'any':
      return '*';
    case 'one':
      return '?';
    case 'variable': {
      const values = variables(part.key);
      return values?.length === 1 ? (values[0] ?? null) : part.fallback;
    }
  }
}

function tokensOf(pattern: PolicyPattern, variables: VariableSource): Token[] | null {
  const tokens: Token[] = [];
  for (const part of pattern.parts) {
    if (part.kind === 'any') {
      if (tokens.at(-1) !== ANY) tokens.push(ANY);
    } else if (part.kind === 'one') {
      tokens.push(ONE);
    } else {
      const text = textOf(part, variables);
      if (text === null) return null;
      tokens.push(...codePoints(text));
    }
  }
  return tokens;
}

/**
 * Two pointers and one point to go back to: the time is at most the product of both lengths,
 * whatever the pattern, so no policy can stall the gateway as a regular expression could.
 */
function matchesTokens(tokens: readonly Token[], value: readonly number[]): boolean {
  let tokenAt = 0;
  let valueAt = 0;
  let starAt = -1;
  let starValueAt = 0;
  while (valueAt < value.length) {
    const token = tokens[tokenAt];
    if (token === ANY) {
      starAt = tokenAt;
      starValueAt = valueAt;
      tokenAt += 1;
    } else if (token === ONE || token === value[valueAt]) {
      tokenAt += 1;
      valueAt += 1;
    } else if (starAt !== -1) {
      tokenAt = starAt + 1;
      starValueAt += 1;
      valueAt = starValueAt;
    } else {
      return false;
    }
  }
  while (tokens[tokenAt] === ANY) tokenAt += 1;
  return tokenAt === tokens.length;
}
