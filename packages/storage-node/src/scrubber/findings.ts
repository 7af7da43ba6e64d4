import type { IndexChange, ShardIndex } from '../index/shard-index';
import type { ShardId } from '../segment/shard-id';
import { shardName } from '../segment/shard-id';

/** A shard that this disk should hold intact and does not: work for the curator. */
export interface Finding {
  readonly id: ShardId;
  readonly pgId: number;
  readonly problem: string;
}

/** Findings beyond this are only counted: a disk with so many is replaced, not repaired. */
export const FINDINGS_MAX = 10_000;

/**
 * What scrub tours, readers and recovery found, until the shard is rewritten or deleted. Kept in
 * the index as well, so that a restart does not forget what only a whole tour would find again.
 */
export class Findings {
  readonly #index: ShardIndex;
  readonly #byName = new Map<string, Finding>();

  constructor(index: ShardIndex) {
    this.#index = index;
  }

  get count(): number {
    return this.#byName.size;
  }

  async load(): Promise<void> {
    for await (const { id, value } of this.#index.findings()) {
      if (this.#byName.size >= FINDINGS_MAX) return;
      const { pgId, problem } = decodeFinding(value);
      this.#byName.set(shardName(id), { id, pgId, problem });
    }
  }

  has(id: ShardId): boolean {
    return this.#byName.has(shardName(id));
  }

  get(id: ShardId): Finding | undefined {
    return this.#byName.get(shardName(id));
  }

  /** Oldest first. */
  list(limit: number): Finding[] {
    return [...this.#byName.values()].slice(0, limit);
  }

  /** Returns false when it is known already, or the list is full. */
  async add(finding: Finding): Promise<boolean> {
    const name = shardName(finding.id);
    if (this.#byName.has(name) || this.#byName.size >= FINDINGS_MAX) return false;
    this.#byName.set(name, finding);
    await this.#index.apply([
      { kind: 'putFinding', id: finding.id, value: encodeFinding(finding) },
    ]);
    return true;
  }

  /** Forgets a finding; returns the change that makes the index forget it too. */
  clear(id: ShardId): IndexChange[] {
    return this.#byName.delete(shardName(id)) ? [{ kind: 'deleteFinding', id }] : [];
  }
}

function encodeFinding(finding: Finding): Buffer {
  return Buffer.from(JSON.stringify({ pgId: finding.pgId, problem: finding.problem }));
}

/** A finding that became unreadable is still one: of an unknown kind. */
function decodeFinding(value: Buffer): { readonly pgId: number; readonly problem: string } {
  try {
    return JSON.parse(value.toString('utf8')) as { pgId: number; problem: string };
  } catch {
    return { pgId: 0, problem: 'unknown' };
  }
}
