import type { Random } from '@azimuth/common';

import { configurationOf } from '../../../packages/metadata-raft/src/core/configuration-entry';
import type { ConfigurationRecord } from '../../../packages/metadata-raft/src/core/message';
import { isQuorum } from '../../../packages/metadata-raft/src/core/quorum';

/**
 * Nodes that are enough, and none too many: a quorum of every configuration that any node goes by,
 * committed or not, because each of them may turn out to be the one that counts.
 */
export function chooseCore(
  ids: readonly string[],
  records: readonly ConfigurationRecord[],
  random: Random,
): readonly string[] {
  const configurations = records.map(configurationOf);
  const candidates = [...ids];
  let core = new Set(ids);
  while (candidates.length > 0) {
    const [id] = candidates.splice(random.below(candidates.length), 1);
    const without = new Set([...core].filter((each) => each !== id));
    if (configurations.every((each) => isQuorum(each, (voter) => without.has(voter)))) {
      core = without;
    }
  }
  return [...core];
}
