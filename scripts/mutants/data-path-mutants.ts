import { crashes, unit } from './mutant';
import type { Mutant } from './mutant';

const TASKS = 'packages/curator/src/tasks';
const STATE_MACHINE = 'packages/metadata-raft/src/state-machine';
const DATA_PATH = 'packages/gateway/src/data-path';

/** Faults of placement, of the data path, of the records of blobs, and of who repairs and deletes. */
export const DATA_PATH_MUTANTS: readonly Mutant[] = [
  {
    name: 'a write whose outcome is unknown is discarded',
    file: 'packages/gateway/src/s3/verified-write.ts',
    find: "        'BUCKET_FENCED',",
    replace: "        'BUCKET_FENCED',\n        'OUTCOME_UNKNOWN',",
    by: [crashes('put-replicated')],
  },
  {
    name: 'a retry in another group reuses the id (seaweedfs 6445)',
    file: `${DATA_PATH}/buffered-write.ts`,
    find: '  const blobId = newBlobId(slot, context.clock.wallMs(), context.random);',
    replace:
      '  const known = body as { blobId?: string };\n' +
      '  const blobId = (known.blobId ??= newBlobId(slot, context.clock.wallMs(), context.random));',
    by: [unit('gateway/test/data-path'), crashes('put-buffered')],
  },
  {
    name: 'a write is acknowledged with k shards',
    file: `${DATA_PATH}/stripe-writer.ts`,
    find: 'cancelWait === null && isZoneSafe(map, group, acked)',
    replace: 'cancelWait === null && acked.size >= group.profile.k',
    by: [unit('gateway/test/data-path')],
  },
  {
    name: 'a write goes on below what a zone loss needs (rustfs 1533)',
    file: `${DATA_PATH}/stripe-writer.ts`,
    find: '    if (isZoneSafe(map, group, this.#writers.keys())) return;',
    replace: '    if (this.#writers.size >= group.profile.k && map.nodes.size > 0) return;',
    by: [unit('gateway/test/data-path')],
  },
  {
    name: 'shards that failed are not named (rustfs 829)',
    file: `${DATA_PATH}/write-object.ts`,
    find: '      missing: isComplete ? [] :',
    replace: '      missing: isComplete || missing.length > 0 ? [] :',
    by: [unit('gateway/test/data-path')],
  },
  {
    name: 'a failed write keeps its memory',
    file: `${DATA_PATH}/buffered-write.ts`,
    find: '    context.writePool.free(dataOffset);',
    replace: '    if (context.view.ageMs() > 1e9) context.writePool.free(dataOffset);',
    by: [unit('gateway/test/data-path'), crashes('put-replicated')],
  },
  {
    name: 'a zone may hold one shard too many (seaweedfs 1590)',
    file: 'packages/placement/src/zone-condition.ts',
    find: '    if (count > profile.m) return',
    replace: '    if (count > profile.m + 1) return',
    by: [unit('placement/test')],
  },
  {
    name: 'two shards may share a disk',
    file: 'packages/placement/src/zone-condition.ts',
    find: "    if (seen.has(diskId)) return { kind: 'repeated-disk', diskId };",
    replace: '',
    by: [unit('placement/test')],
  },
  {
    name: 'a disk that is out is read first',
    file: 'packages/placement/src/choose-readers.ts',
    find: '    if (node === undefined || !isDiskReadable(map, diskId)) return;',
    replace: '    if (node === undefined) return;',
    by: [unit('placement/test')],
  },
  {
    name: 'garbage is deleted without another look (minio 20277)',
    file: `${TASKS}/collect-garbage.ts`,
    find: '    if (!isUnreferenced(resolved, entry.blob.blobId)) {',
    replace: '    if (resolved.size > 1_000_000) {',
    by: [unit('curator/test')],
  },
  {
    name: 'garbage is deleted under the readers',
    file: `${TASKS}/collect-garbage.ts`,
    find: 'createdMs <= dueMs',
    replace: 'createdMs <= dueMs + context.settings.garbageGraceMs',
    by: [unit('curator/test')],
  },
  {
    name: 'garbage is forgotten before every disk has answered',
    file: `${TASKS}/collect-garbage.ts`,
    find: "  return results.every(({ status }) => status === 'fulfilled');",
    replace: "  return results.some(({ status }) => status === 'fulfilled');",
    by: [unit('curator/test')],
  },
  {
    name: 'a young blob is an orphan (PUT against collector)',
    file: `${TASKS}/collect-orphans.ts`,
    find: '({ blob }) => context.leaderNowMs() - createdMsOfBlob(blob.blobId) > ageMinMs,',
    replace:
      '({ blob }) => context.leaderNowMs() - createdMsOfBlob(blob.blobId) > ageMinMs - 1e12,',
    by: [unit('curator/test')],
  },
  {
    name: 'an orphan is deleted on the word of one replica',
    file: `${TASKS}/collect-orphans.ts`,
    find: '.size > nodeCount / 2;',
    replace: '.size > 0;',
    by: [unit('curator/test')],
  },
  {
    name: 'an answer that is too short reads as unreferenced (unknown is absent)',
    file: 'packages/clients/src/blob-references.ts',
    find: '        if (answer !== undefined) resolved.set(blobId, answer);',
    replace: '        resolved.set(blobId, answer ?? null);',
    by: [unit('curator/test')],
  },
  {
    name: 'a re-striped blob loses its source before the commit (seaweedfs 9490)',
    file: 'packages/curator/src/move-blob.ts',
    find: '  const args = { oldBlobId: old.blobId, blob, missing: [], mapVersion };',
    replace:
      '  await deleteEverywhere(context, oldGroup, old.blobId);\n' +
      '  const args = { oldBlobId: old.blobId, blob, missing: [], mapVersion };',
    by: [crashes('restripe')],
  },
  {
    name: 'a re-striped copy is deleted when the outcome is unknown',
    file: 'packages/curator/src/move-blob.ts',
    find: "  const { isReplaced } = await context.metadata.index(index, 'ReplaceBlob', args, options);",
    replace:
      "  const { isReplaced } = await context.metadata\n    .index(index, 'ReplaceBlob', args, options)\n" +
      '    .catch(async (error: unknown) => {\n' +
      '      await deleteEverywhere(context, group, blob.blobId);\n      throw error;\n    });',
    by: [crashes('restripe')],
  },
  {
    name: 'a repair is acknowledged when some shards are proven (rustfs 5869)',
    file: `${TASKS}/repair-outbox.ts`,
    find: 'entry.shardIndexes.every((index) => proven.has(index))',
    replace: 'entry.shardIndexes.some((index) => proven.has(index))',
    by: [unit('curator/test')],
  },
  {
    name: 'a rebuilt shard counts without a census',
    file: 'packages/curator/src/rebuild-shards.ts',
    find: "    if ((await verdictOf(context, address)) !== 'intact') continue;",
    replace: '',
    by: [unit('curator/test')],
  },
  {
    name: 'a slot flips before every shard is there',
    file: `${TASKS}/backfill.ts`,
    find: '  if (unproven > 0 || context',
    replace: '  if (unproven > 1_000_000 || context',
    by: [unit('curator/test')],
  },
  {
    name: 'a census asks only the first slot (rustfs 5869)',
    file: `${TASKS}/census.ts`,
    find: 'slots.some((slot) => !present.has(slot))',
    replace: 'slots.slice(0, 1).some((slot) => !present.has(slot))',
    by: [unit('curator/test')],
  },
  {
    name: 'an old blob may be committed (the collector has been there)',
    file: `${STATE_MACHINE}/blob-ledger.ts`,
    find: '      if (createdMsOfBlob(blobId) + BLOB_COMMIT_AGE_MAX_MS < nowMs) {',
    replace: '      if (createdMsOfBlob(blobId) + 100 * BLOB_COMMIT_AGE_MAX_MS < nowMs) {',
    by: [unit('metadata-raft/test/state-machine'), crashes('slow-put-and-collectors')],
  },
  {
    name: 'what is overwritten is not garbage (a leak)',
    file: `${STATE_MACHINE}/blob-ledger.ts`,
    find: '      this.#records.delete(blobKey(blob.blobId));\n      this.#outbox.addGarbage(blob, nowMs);',
    replace: '      this.#records.delete(blobKey(blob.blobId));',
    by: [unit('metadata-raft/test/state-machine'), crashes('overwrite')],
  },
  {
    name: 'a copy that lost the race stays (a leak)',
    file: `${STATE_MACHINE}/replace-blob.ts`,
    find: '    state.blobs.abandon([blob], nowMs);',
    replace: '',
    by: [unit('metadata-raft/test/state-machine'), crashes('restripe-and-delete')],
  },
  {
    name: 'the parts of a completed upload are garbage (ceph 38228)',
    file: `${STATE_MACHINE}/complete-upload.ts`,
    find: '    if (!chosenNumbers.has(part.partNumber)) state',
    replace: '    if (chosenNumbers.size > 0) state',
    by: [unit('metadata-raft/test/state-machine'), crashes('complete')],
  },
  {
    name: 'an abort finds the parts of a completed upload (ceph 60771)',
    file: `${STATE_MACHINE}/complete-upload.ts`,
    find: '  state.uploads.end(at, upload, result, context.nowMs);',
    replace: '',
    by: [unit('metadata-raft/test/state-machine'), crashes('complete-and-abort')],
  },
  {
    name: 'a completion that is repeated is executed again (minio 17858)',
    file: `${STATE_MACHINE}/complete-upload.ts`,
    find: '  if (earlier?.result != null) return earlier.result;',
    replace: '',
    by: [unit('metadata-raft/test/state-machine')],
  },
  {
    name: 'a replaced part stays (minio 15976)',
    file: `${STATE_MACHINE}/index-commands.ts`,
    find: '    if (replaced !== null) this.state.blobs.release(replaced.blobs, nowMs);',
    replace: '',
    by: [unit('metadata-raft/test/state-machine'), crashes('replace-part')],
  },
  {
    name: 'acknowledging a repair forgets what was reported meanwhile',
    file: `${STATE_MACHINE}/outbox.ts`,
    find: '      this.acknowledge(pendingId);\n    }\n    const sorted',
    replace: '      return;\n    }\n    const sorted',
    by: [unit('metadata-raft/test/state-machine')],
  },
];
