import type { Random } from '@azimuth/common';
import type { IdentityChange } from '@azimuth/proto';

import type { Conditions } from '../auth/authorize';
import type { Principal } from '../auth/principal';
import type { XmlFragment } from '../http/xml/xml-writer';
import type { QueryParameters } from '../query/query-parameters';
import type { AccountIdentities } from './account-identities';

/** A call of the IAM API; it concerns the account of the caller and no other. */
export interface IamCall {
  readonly caller: Principal;
  readonly parameters: QueryParameters;
  readonly account: AccountIdentities;
  readonly nowMs: number;
  readonly random: Random;
}

export interface IamOutcome {
  /** Committed all or none, if nothing changed since the snapshot of the call. */
  readonly changes: readonly IdentityChange[];
  /** Null for actions that answer nothing but that they did it. */
  readonly result: readonly (XmlFragment | null)[] | null;
}

/** One action of the IAM API: pure, from the call to its changes and answer. */
export interface IamAction {
  /** The exact API name; the action to be allowed is `iam:` and this. */
  readonly name: string;
  /** ARN of what it acts on, whether that exists or not. */
  resource(call: IamCall): string;
  /** Condition keys of this action alone. */
  readonly conditions?: (call: IamCall) => Conditions;
  /** @throws QueryError */
  run(call: IamCall): IamOutcome;
}

export function answer(result: readonly (XmlFragment | null)[]): IamOutcome {
  return { changes: [], result };
}

export function done(...changes: readonly IdentityChange[]): IamOutcome {
  return { changes, result: null };
}

const ID_ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
const ID_RANDOM_LENGTH = 17;

/** `AIDA` and 17 letters and digits: 85 bits, never the same twice. */
export function newId(prefix: 'AIDA' | 'AGPA' | 'AROA' | 'ANPA', random: Random): string {
  return `${prefix}${randomLetters(random, ID_RANDOM_LENGTH)}`;
}

export function randomLetters(random: Random, length: number): string {
  return Array.from({ length }, () => ID_ALPHABET[random.below(ID_ALPHABET.length)]).join('');
}
