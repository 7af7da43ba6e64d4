import { isDeepStrictEqual } from 'node:util';

import type { SessionResponse } from '@azimuth/proto';

import type { GroupWrite } from '../../../packages/metadata-raft/src/log/log-storage';

import { CommittedHistory } from './committed-history';

interface CommittedRecord {
  readonly term: number;
  readonly data: string;
}

export interface NodeView {
  readonly id: string;
  readonly group: string;
  readonly role: string;
  readonly term: number;
  readonly commitIndex: number;
  termOf(index: number): number | null;
  readonly firstIndex: number;
}

/**
 * The safety properties of the paper (figure 3), over everything that ever happened in a run,
 * crashes included; and that the replicas of a state machine agree with each other and with the
 * model.
 */
export class SafetyChecker {
  readonly #leaders = new Map<string, string>();
  readonly #entries = new Map<string, string>();
  readonly #committed = new Map<string, CommittedRecord[]>();
  readonly #histories = new Map<string, CommittedHistory>();
  readonly #states = new Map<string, string>();

  /** Log matching: (index, term) names one entry, and with it, by induction, all before it. */
  onWrite(batch: readonly GroupWrite[], previousTermOf: (write: GroupWrite) => number): void {
    for (const write of batch) {
      let previousTerm = write.entries.length === 0 ? 0 : previousTermOf(write);
      for (const { index, term, data } of write.entries) {
        const key = `${write.group}/${String(index)}/${String(term)}`;
        const content = `${String(previousTerm)}:${Buffer.from(data).toString('latin1')}`;
        same(this.#entries, key, content, 'log matching');
        previousTerm = term;
      }
    }
  }

  /** State machine safety: nobody ever applies another entry at the same index. */
  onApply(group: string, index: number, term: number, data: Uint8Array): void {
    const committed = this.#committedOf(group);
    const text = Buffer.from(data).toString('latin1');
    const known = committed[index];
    if (known === undefined) {
      committed[index] = { term, data: text };
      if (data.length > 0) this.history(group).commit(index, data);
    } else if (known.term !== term || known.data !== text) {
      throw new Error(
        `state machine safety: ${group}/${String(index)} is ${JSON.stringify(known)} and also ` +
          JSON.stringify({ term, data: text }),
      );
    }
  }

  /** The answer of a replica to the entry at `index` is the one of the model. */
  onAnswer(group: string, index: number, answer: unknown): void {
    checkAnswer(`${group}/${String(index)}`, this.history(group).answerAt(index), answer);
  }

  /** Replicas that applied the same entries are in the same state (pitfall 27). */
  onState(group: string, lastApplied: number, hash: string): void {
    same(this.#states, `${group}/${String(lastApplied)}`, hash, 'the state of the replicas');
  }

  /** Election safety always, leader completeness at each new leadership. */
  onNode(node: NodeView): void {
    if (node.role !== 'leader') return;
    const key = `${node.group}/${String(node.term)}`;
    const isNew = !this.#leaders.has(key);
    same(this.#leaders, key, node.id, 'election safety');
    if (!isNew) return;
    for (const [index, entry] of this.#committedOf(node.group).entries()) {
      // The array has a hole at 0.
      if ((entry as CommittedRecord | undefined) === undefined || index < node.firstIndex) continue;
      if (entry.term < node.term && node.termOf(index) !== entry.term) {
        throw new Error(
          `leader completeness: ${node.id} leads term ${String(node.term)} of ${node.group} ` +
            `without entry ${String(index)} of term ${String(entry.term)}`,
        );
      }
    }
  }

  history(group: string): CommittedHistory {
    let history = this.#histories.get(group);
    if (history === undefined) {
      history = new CommittedHistory(group);
      this.#histories.set(group, history);
    }
    return history;
  }

  #committedOf(group: string): CommittedRecord[] {
    let committed = this.#committed.get(group);
    if (committed === undefined) {
      committed = [];
      this.#committed.set(group, committed);
    }
    return committed;
  }
}

/** Throws unless `answer` is what the model answers; of a refusal only the code is compared. */
export function checkAnswer(what: string, expected: SessionResponse | null, answer: unknown): void {
  const given = answer as SessionResponse;
  const isEqual =
    expected !== null && !expected.ok && !given.ok
      ? expected.code === given.code
      : isDeepStrictEqual(expected, given);
  if (isEqual) return;
  throw new Error(
    `the answer to ${what} is ${JSON.stringify(given)}, not ${JSON.stringify(expected)}`,
  );
}

function same(map: Map<string, string>, key: string, value: string, property: string): void {
  const known = map.get(key);
  if (known === undefined) map.set(key, value);
  else if (known !== value) {
    throw new Error(`${property}: ${key} is ${known} and also ${value}`);
  }
}
