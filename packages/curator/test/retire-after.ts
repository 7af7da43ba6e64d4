import { retireGroups, SealedGroups } from '../src/tasks/retire-groups';
import type { FakeCluster } from './fake-cluster';

/** What root has been told once groups to remove are looked at again, `ageMs` later. */
export async function retireAfter(cluster: FakeCluster, ageMs: number): Promise<unknown[]> {
  const sealed = new SealedGroups();
  await retireGroups(cluster.context(), sealed);
  cluster.nowMs += ageMs;
  await retireGroups(cluster.context(), sealed);
  return cluster.rootCommands;
}
