import { isDeepStrictEqual } from 'node:util';

import { hasCode } from '@azimuth/common';
import { slotOfKey } from '@azimuth/proto';
import type { BlobRef } from '@azimuth/proto';

import { RetrySchedule } from '../../../packages/curator/src/retry-schedule';
import { backfillGroup, groupsToBackfill } from '../../../packages/curator/src/tasks/backfill';
import { takeCensus } from '../../../packages/curator/src/tasks/census';
import { collectGarbage } from '../../../packages/curator/src/tasks/collect-garbage';
import {
  collectOrphans,
  OrphanCandidates,
} from '../../../packages/curator/src/tasks/collect-orphans';
import { repairOutbox } from '../../../packages/curator/src/tasks/repair-outbox';
import { restripeOutbox } from '../../../packages/curator/src/tasks/restripe-outbox';
import { encodeBlob } from '../../../packages/curator/test/fake-cluster';

import { Actor } from './actor';
import { BUCKET } from './crash-cluster';
import type { CrashCluster } from './crash-cluster';
import type { Content } from './known-objects';

/** Older than any commit may name a blob, and than the grace of an orphan. */
const ORPHAN_LEAP_MS = 25 * 3_600_000;
const GRACE_LEAP_MS = 11 * 60_000;
const ROUNDS_MAX = 8;

/**
 * Everything comes back, every collector runs as often as it has something to do, and then
 *
 * C1 durability: each key reads as its clients know it, before the collectors and after;
 * C2 one serving generation: each shard of each manifest lies on the disk of its slot, with the
 *    bytes that encoding the content gives;
 * C3 convergence: no shard lies anywhere else, and every outbox is empty;
 * C4 nothing referenced was ever deleted, and no process kept memory that it had taken.
 *
 * @throws Error naming what does not hold.
 */
export async function checkAtRest(cluster: CrashCluster, kind: 'process' | 'power'): Promise<void> {
  for (const machine of cluster.machines) await cluster.restart(machine, kind);
  await cluster.plan();
  await checkContents(cluster, 'after the restart');
  await converge(cluster);
  await checkContents(cluster, 'at rest');
  await checkShards(cluster);
  const [violation] = cluster.violations;
  if (violation !== undefined) throw new Error(`C4: ${violation}`);
  if (cluster.leakedBytes !== 0) throw new Error(`C4: ${cluster.leakedBytes} bytes are not free`);
}

async function checkContents(cluster: CrashCluster, when: string): Promise<void> {
  const gateway = cluster.gateway(new Actor('reader'));
  for (const key of cluster.known.keys()) {
    const { status, bytes } = await cluster.clock.settle(
      gateway.send('GetObject', { bucket: BUCKET, key }),
    );
    if (status !== 200 && status !== 404) {
      throw new Error(`C1: ${key} cannot be read ${when}: ${String(status)}`);
    }
    const content: Content = status === 404 ? null : bytes;
    const possible = cluster.known.possible(key);
    if (!possible.some((each) => isEqual(each, content))) {
      throw new Error(
        `C1: ${key} is ${nameOf(content)} ${when}, not ${possible.map(nameOf).join(' or ')}`,
      );
    }
    cluster.known.learn(key, content);
  }
}

function isEqual(a: Content, b: Content): boolean {
  return a === null || b === null ? a === b : Buffer.compare(a, b) === 0;
}

function nameOf(content: Content): string {
  return content === null ? 'absent' : `${content.length} bytes beginning ${String(content[0])}`;
}

async function converge(cluster: CrashCluster): Promise<void> {
  const { clock } = cluster;
  const candidates = new OrphanCandidates();
  clock.leap(ORPHAN_LEAP_MS);
  for (let round = 1; round <= ROUNDS_MAX; round += 1) {
    await clock.settle(runTasks(cluster, candidates));
    if (await isConverged(cluster)) return;
    clock.leap(GRACE_LEAP_MS);
  }
  const left = await cluster.metadata.queryIndex('index-0', 'CountOutbox', {});
  const [stored, expected] = await shardSets(cluster);
  const extra = [...stored].filter((shard) => !expected.has(shard)).length;
  const lacking = [...expected].filter((shard) => !stored.has(shard)).length;
  throw new Error(`C3: ${JSON.stringify({ ...left, extra, lacking })} after every collector`);
}

async function runTasks(cluster: CrashCluster, candidates: OrphanCandidates): Promise<void> {
  const context = cluster.curator(new Actor('collector'));
  const schedule = (): RetrySchedule => new RetrySchedule(context.clock, 0);
  // Time moves with what a state machine applies; a busy cluster does so all the time.
  await cluster.metadata.index('index-0', 'AcknowledgeOutbox', { ids: [] });
  await cluster.plan();
  const groups = [...context.view.map().groups.values()];
  for (const group of groups) await takeCensus(context, group);
  await repairOutbox(context, schedule());
  for (const group of groupsToBackfill(context)) {
    await backfillGroup(context, group).catch((error: unknown) => {
      if (!hasCode(error, 'UNAVAILABLE')) throw error;
    });
  }
  await restripeOutbox(context, schedule());
  await collectGarbage(context);
  for (const group of groups) await collectOrphans(context, group, candidates);
}

async function isConverged(cluster: CrashCluster): Promise<boolean> {
  const counts = await cluster.metadata.queryIndex('index-0', 'CountOutbox', {});
  if (counts.repairEntries + counts.garbageEntries + counts.restripeEntries > 0) return false;
  const [stored, expected] = await shardSets(cluster);
  return isDeepStrictEqual(stored, expected);
}

async function shardSets(cluster: CrashCluster): Promise<[Set<string>, Set<string>]> {
  const blobs = (await manifests(cluster)).flatMap((each) => each.blobs);
  return [await cluster.storedShards(), cluster.expectedShards(blobs)];
}

async function manifests(
  cluster: CrashCluster,
): Promise<{ readonly key: string; readonly blobs: readonly BlobRef[] }[]> {
  const { bucketId } = (await cluster.metadata.view.bucket(BUCKET)) ?? { bucketId: '' };
  const found = [];
  for (const key of cluster.known.keys()) {
    const args = { bucketId, key, versionId: null, withBody: true };
    const version = await cluster.metadata.queryIndex('index-0', 'GetVersion', args);
    found.push({ key, blobs: version?.body?.blobs ?? [] });
    for (const { blobId } of version?.body?.blobs ?? []) {
      if (Number.parseInt(blobId.slice(0, 2), 16) !== slotOfKey(bucketId, key)) {
        throw new Error(`C2: ${key} names a blob of another slot`);
      }
    }
  }
  return found;
}

async function checkShards(cluster: CrashCluster): Promise<void> {
  const { groups } = cluster.metadata.view.map();
  for (const { key, blobs } of await manifests(cluster)) {
    const content = cluster.known.possible(key)[0] ?? null;
    const [blob] = blobs;
    if (content === null || blob === undefined) continue;
    if (blob.sizeBytes !== content.length) throw new Error(`C2: ${key} is of another size`);
    const shards = encodeBlob(content, blob.profile, blob.blockBytes);
    for (const [slot, diskId] of (groups.get(blob.pgId)?.slots ?? []).entries()) {
      const stored = await cluster.readShard(diskId, blob.blobId, slot);
      if (Buffer.compare(stored, shards[slot] ?? Buffer.alloc(0)) !== 0) {
        throw new Error(`C2: shard ${String(slot)} of ${key} is of another generation`);
      }
    }
  }
}
