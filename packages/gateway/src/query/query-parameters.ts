import { QueryError, validationError } from './query-error';

const PARAMETERS_MAX = 2_000;
const MEMBERS_MAX = 1_000;

export interface TextRule {
  readonly lengthMin?: number;
  readonly lengthMax: number;
  /** Of the whole text. */
  readonly pattern?: RegExp;
}

/**
 * The parameters of a request of AWS's query protocol: a form, in which lists are
 * `Tags.member.1.Key=…`.
 *
 * @see https://smithy.io/2.0/aws/protocols/aws-query-protocol.html
 */
export class QueryParameters {
  readonly #values: ReadonlyMap<string, string>;
  readonly #prefix: string;

  private constructor(values: ReadonlyMap<string, string>, prefix: string) {
    this.#values = values;
    this.#prefix = prefix;
  }

  /** @throws QueryError MalformedInput when it is no form, has a name twice or too many. */
  static parse(form: string): QueryParameters {
    const values = new Map<string, string>();
    for (const part of form.split('&')) {
      if (part === '') continue;
      const equals = part.indexOf('=');
      const name = decode(equals < 0 ? part : part.slice(0, equals));
      // Of two values one reader might check the first and another use the second.
      if (values.has(name)) throw new QueryError('MalformedInput', `${name} is given twice.`);
      values.set(name, equals < 0 ? '' : decode(part.slice(equals + 1)));
      if (values.size > PARAMETERS_MAX) {
        throw new QueryError('MalformedInput', `More than ${PARAMETERS_MAX} parameters.`);
      }
    }
    return new QueryParameters(values, '');
  }

  optional(name: string): string | null {
    return this.#values.get(`${this.#prefix}${name}`) ?? null;
  }

  /** @throws QueryError ValidationError */
  required(name: string): string {
    const value = this.optional(name);
    if (value === null) throw validationError(name, null, 'not be null');
    return value;
  }

  /** @throws QueryError ValidationError */
  requiredText(name: string, rule: TextRule): string {
    return requireText(name, this.required(name), rule);
  }

  /** @throws QueryError ValidationError */
  optionalText(name: string, rule: TextRule): string | null {
    const value = this.optional(name);
    return value === null ? null : requireText(name, value, rule);
  }

  /** @throws QueryError ValidationError */
  optionalInteger(name: string, min: number, max: number): number | null {
    const text = this.optional(name);
    if (text === null) return null;
    const value = /^-?\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
    if (Number.isNaN(value)) throw validationError(name, text, 'be an integer');
    if (value < min) {
      throw validationError(name, text, `have value greater than or equal to ${min}`);
    }
    if (value > max) throw validationError(name, text, `have value less than or equal to ${max}`);
    return value;
  }

  /** @throws QueryError ValidationError */
  optionalBoolean(name: string): boolean | null {
    const text = this.optional(name);
    if (text === null) return null;
    if (text === 'true' || text === 'false') return text === 'true';
    throw validationError(name, text, 'be true or false');
  }

  /** @throws QueryError ValidationError */
  optionalChoice<Choice extends string>(name: string, choices: readonly Choice[]): Choice | null {
    const text = this.optional(name);
    if (text === null) return null;
    const choice = choices.find((each) => each === text);
    if (choice !== undefined) return choice;
    throw validationError(name, text, `satisfy enum value set: [${choices.join(', ')}]`);
  }

  /** Texts of a list, in order; an absent one is empty. */
  list(name: string): readonly string[] {
    const texts: string[] = [];
    for (let number = 1; number <= MEMBERS_MAX; number += 1) {
      const text = this.optional(`${name}.member.${number}`);
      if (text === null) break;
      texts.push(text);
    }
    return texts;
  }

  /** The structures of a list, each with the parameters below it. */
  structures(name: string): readonly QueryParameters[] {
    const found: QueryParameters[] = [];
    const all = [...this.#values.keys()];
    for (let number = 1; number <= MEMBERS_MAX; number += 1) {
      const prefix = `${this.#prefix}${name}.member.${number}.`;
      if (!all.some((key) => key.startsWith(prefix))) break;
      found.push(new QueryParameters(this.#values, prefix));
    }
    return found;
  }
}

function requireText(name: string, value: string, rule: TextRule): string {
  const { lengthMin = 1, lengthMax, pattern } = rule;
  if (value.length < lengthMin) {
    throw validationError(name, value, `have length greater than or equal to ${lengthMin}`);
  }
  if (value.length > lengthMax) {
    throw validationError(name, value, `have length less than or equal to ${lengthMax}`);
  }
  if (pattern !== undefined && !pattern.test(value)) {
    const source = pattern.source.replace(/^\^/, '').replace(/\$$/, '');
    throw validationError(name, value, `satisfy regular expression pattern: ${source}`);
  }
  return value;
}

/** In forms `+` is a blank, unlike anywhere else in this gateway. */
function decode(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', '%20'));
  } catch (error) {
    throw new QueryError('MalformedInput', 'The request is not a form.', error);
  }
}
