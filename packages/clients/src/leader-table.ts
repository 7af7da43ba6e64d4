import { assert } from '@azimuth/common';

/** Who leads which group, as far as answers have told. */
export class LeaderTable {
  #nodeIds: readonly string[];
  readonly #leaders = new Map<string, string>();
  #next = 0;

  constructor(nodeIds: readonly string[]) {
    assert(nodeIds.length > 0, 'no metadata nodes');
    this.#nodeIds = nodeIds;
  }

  /** The nodes are others now. */
  setNodes(nodeIds: readonly string[]): void {
    assert(nodeIds.length > 0, 'no metadata nodes');
    this.#nodeIds = nodeIds;
    for (const [group, nodeId] of this.#leaders) {
      if (!nodeIds.includes(nodeId)) this.#leaders.delete(group);
    }
  }

  set(group: string, nodeId: string): void {
    this.#leaders.set(group, nodeId);
  }

  /** `nodeId` proved not to lead the group, or not to answer. */
  forget(group: string, nodeId: string): void {
    if (this.#leaders.get(group) === nodeId) this.#leaders.delete(group);
  }

  /** The leader, or else any node that did not fail just now. */
  choose(group: string, failed: ReadonlySet<string>): string {
    const leader = this.#leaders.get(group);
    if (leader !== undefined && !failed.has(leader)) return leader;
    for (let tries = 0; tries < this.#nodeIds.length; tries += 1) {
      const nodeId = this.#nodeIds[(this.#next + tries) % this.#nodeIds.length] as string;
      if (failed.has(nodeId)) continue;
      this.#next = (this.#next + tries + 1) % this.#nodeIds.length;
      return nodeId;
    }
    return this.#nodeIds[0] as string;
  }
}
