import { decodeRecord } from '@azimuth/proto';
import type { Command, SessionResponse, VersionHead } from '@azimuth/proto';

import { IndexModel } from '../../../packages/metadata-raft/test/state-machine/index-model';
import type { ModelCommand } from '../../../packages/metadata-raft/test/state-machine/index-model';

interface Executed {
  readonly index: number;
  readonly answer: SessionResponse;
}

interface Current {
  readonly index: number;
  readonly head: VersionHead | null;
  readonly inline: string | null;
}

/**
 * What the committed commands of one group mean, by the reference model of the index. A command
 * that a client sent again is executed once (pitfall 26).
 */
export class CommittedHistory {
  readonly #model = new IndexModel();
  readonly #executed = new Map<string, Executed>();
  readonly #answers = new Map<number, SessionResponse>();
  /** By key, what was current from which index on; ascending. */
  readonly #current = new Map<string, Current[]>();
  #nowMs = 0;

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

  /** The current version of `key` when everything up to `index` is applied. */
  currentAt(key: string, index: number): Pick<Current, 'head' | 'inline'> {
    const found = this.#current.get(key)?.findLast((current) => current.index <= index);
    return found ?? { head: null, inline: null };
  }

  #execute(index: number, command: Command): SessionResponse {
    const result = this.#model.apply(command as ModelCommand, index, this.#nowMs);
    const { key } = command.args as { readonly key: string };
    const version = this.#model.versions.get(key)?.[0];
    let list = this.#current.get(key);
    if (list === undefined) {
      list = [];
      this.#current.set(key, list);
    }
    list.push({ index, head: version?.head ?? null, inline: version?.inline ?? null });
    const code = (result as { readonly code?: string } | null)?.code;
    // What else a refusal tells is not part of the model.
    return code === undefined ? { ok: true, result } : { ok: false, code, detail: {} };
  }
}
