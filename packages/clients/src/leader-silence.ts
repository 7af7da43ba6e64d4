import type { GroupLeader } from '@azimuth/proto';

/** What a node said longer ago says nothing about now. */
const FRESH_MS = 3_000;

interface Word {
  readonly askedMs: number;
  readonly groups: readonly GroupLeader[];
}

/** A group whose leader, as another node names it, has answered nothing since. */
export interface SilentLeader {
  readonly group: string;
  readonly leader: string;
  readonly sinceMs: number;
}

/**
 * From what metadata nodes say of who leads the groups: which leader somebody reaches, and we do
 * not.
 *
 * A group that has no leader anywhere counts as heard: going to somebody else does not help there.
 */
export class LeaderSilence {
  readonly #words = new Map<string, Word>();
  /** When the last answer of a node was asked for, or when one that never answered was named. */
  readonly #heardMs = new Map<string, number>();

  /**
   * `nodeId` answered what it was asked at `askedMs`: an answer cannot be older than that.
   *
   * @param groups null when it refused to say: it is there, and what it said before stays.
   */
  hear(nodeId: string, askedMs: number, groups: readonly GroupLeader[] | null): void {
    this.#heardMs.set(nodeId, Math.max(askedMs, this.#heardMs.get(nodeId) ?? -Infinity));
    const known = this.#words.get(nodeId);
    if (groups === null || (known !== undefined && known.askedMs > askedMs)) return;
    this.#words.set(nodeId, { askedMs, groups });
    for (const { leader } of groups) {
      if (leader !== null && !this.#heardMs.has(leader)) this.#heardMs.set(leader, askedMs);
    }
  }

  /**
   * Of all others nothing can be heard, so their silence says nothing: it begins when they are
   * named while they are asked. A node that joins is asked once a request has led to it.
   */
  keepOnly(asked: readonly string[]): void {
    for (const nodeId of this.#heardMs.keys()) {
      if (!asked.includes(nodeId)) this.#heardMs.delete(nodeId);
    }
  }

  /** The leader that is silent for longest, be it a moment; null when nobody names a leader. */
  longest(nowMs: number): SilentLeader | null {
    let longest: SilentLeader | null = null;
    for (const [group, { leader }] of this.#newest(nowMs)) {
      if (leader === null) continue;
      const sinceMs = this.#heardMs.get(leader) ?? nowMs;
      if (longest === null || sinceMs < longest.sinceMs) longest = { group, leader, sinceMs };
    }
    return longest;
  }

  /** By group, what is said of its newest term; of one term there is one leader. */
  #newest(nowMs: number): ReadonlyMap<string, GroupLeader> {
    const newest = new Map<string, GroupLeader>();
    for (const { askedMs, groups } of this.#words.values()) {
      if (nowMs - askedMs > FRESH_MS) continue;
      for (const each of groups) {
        const known = newest.get(each.group);
        const isNewer = known === undefined || each.term > known.term;
        const saysMore = known?.term === each.term && known.leader === null;
        if (isNewer || saysMore) newest.set(each.group, each);
      }
    }
    return newest;
  }
}
