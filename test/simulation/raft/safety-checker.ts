import type { GroupWrite } from '../../../packages/metadata-raft/src/log/log-storage';

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
 * The four safety properties of the paper (figure 3), over everything that ever happened in a run,
 * crashes included.
 */
export class SafetyChecker {
  readonly #leaders = new Map<string, string>();
  readonly #entries = new Map<string, string>();
  readonly #committed = new Map<string, CommittedRecord[]>();
  readonly #commands = new Map<string, string>();

  /** Log matching: (index, term) names one entry, and with it, by induction, all before it. */
  onWrite(batch: readonly GroupWrite[], previousTermOf: (write: GroupWrite) => number): void {
    for (const write of batch) {
      let previousTerm = write.entries.length === 0 ? 0 : previousTermOf(write);
      for (const { index, term, data } of write.entries) {
        const key = `${write.group}/${String(index)}/${String(term)}`;
        const content = `${String(previousTerm)}:${Buffer.from(data).toString('latin1')}`;
        this.#same(this.#entries, key, content, 'log matching');
        previousTerm = term;
      }
    }
  }

  /** State machine safety: nobody ever applies another entry at the same index. */
  onApply(group: string, index: number, term: number, data: Uint8Array): void {
    const committed = this.committed(group);
    const text = Buffer.from(data).toString('latin1');
    const known = committed[index];
    if (known === undefined) {
      committed[index] = { term, data: text };
      if (text !== '') {
        const id = (JSON.parse(text) as { id: string }).id;
        this.#same(this.#commands, id, String(index), 'a command is committed once');
      }
    } else if (known.term !== term || known.data !== text) {
      throw new Error(
        `state machine safety: ${group}/${String(index)} is ${JSON.stringify(known)} and also ` +
          JSON.stringify({ term, data: text }),
      );
    }
  }

  /** Election safety always, leader completeness at each new leadership. */
  onNode(node: NodeView): void {
    if (node.role !== 'leader') return;
    const key = `${node.group}/${String(node.term)}`;
    const isNew = !this.#leaders.has(key);
    this.#same(this.#leaders, key, node.id, 'election safety');
    if (!isNew) return;
    for (const [index, entry] of this.committed(node.group).entries()) {
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

  committed(group: string): CommittedRecord[] {
    let committed = this.#committed.get(group);
    if (committed === undefined) {
      committed = [];
      this.#committed.set(group, committed);
    }
    return committed;
  }

  /** Index of the committed command, or null. */
  indexOf(commandId: string): number | null {
    const index = this.#commands.get(commandId);
    return index === undefined ? null : Number(index);
  }

  #same(map: Map<string, string>, key: string, value: string, property: string): void {
    const known = map.get(key);
    if (known === undefined) map.set(key, value);
    else if (known !== value) {
      throw new Error(`${property}: ${key} is ${known} and also ${value}`);
    }
  }
}
