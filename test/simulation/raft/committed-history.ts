import { decodeRecord } from '@azimuth/proto';
import type { Command, SessionResponse } from '@azimuth/proto';

import { IndexGroupModel, RootGroupModel } from './group-model';
import type { Question } from './question';

interface Executed {
  readonly index: number;
  readonly answer: SessionResponse;
}

/**
 * What the committed commands of one group mean, by the reference model of the group. A command
 * that a client sent again is executed once (pitfall 26).
 */
export class CommittedHistory {
  readonly model: IndexGroupModel | RootGroupModel;
  readonly #executed = new Map<string, Executed>();
  readonly #answers = new Map<number, SessionResponse>();
  #nowMs = 0;

  constructor(group: string) {
    this.model = group === 'root' ? new RootGroupModel() : new IndexGroupModel();
  }

  /** The entry at `index` is committed; called in the order of indexes. */
  commit(index: number, data: Uint8Array): void {
    const [entryMs, command] = decodeRecord(data) as [number, Command];
    this.#nowMs = Math.max(this.#nowMs, entryMs);
    let executed = this.#executed.get(command.commandId);
    if (executed === undefined) {
      executed = { index, answer: this.#execute(index, command) };
      this.#executed.set(command.commandId, executed);
    }
    this.#answers.set(index, executed.answer);
  }

  /** Where a command took effect; null when it did not. */
  indexOf(commandId: string): number | null {
    return this.#executed.get(commandId)?.index ?? null;
  }

  answerTo(commandId: string): SessionResponse | null {
    return this.#executed.get(commandId)?.answer ?? null;
  }

  answerAt(index: number): SessionResponse | null {
    return this.#answers.get(index) ?? null;
  }

  /** What the group answers when everything up to `index` is applied. */
  expect(question: Question, index: number): unknown {
    return this.model.expect(question, index);
  }

  #execute(index: number, command: Command): SessionResponse {
    const result = this.model.execute(command, index, this.#nowMs);
    const code = (result as { readonly code?: string } | null)?.code;
    // What else a refusal tells is not part of the model.
    return code === undefined ? { ok: true, result } : { ok: false, code, detail: {} };
  }
}
