import { createHash } from 'node:crypto';

import { RetrySchedule } from '../../../packages/curator/src/retry-schedule';
import { takeCensus } from '../../../packages/curator/src/tasks/census';
import { collectGarbage } from '../../../packages/curator/src/tasks/collect-garbage';
import {
  collectOrphans,
  OrphanCandidates,
} from '../../../packages/curator/src/tasks/collect-orphans';
import { repairOutbox } from '../../../packages/curator/src/tasks/repair-outbox';
import { restripeOutbox } from '../../../packages/curator/src/tasks/restripe-outbox';

import { Actor } from './actor';
import { BUCKET } from './crash-cluster';
import type { CrashCluster } from './crash-cluster';
import { bodyOf, perform, put, remove, sequence, task } from './story';
import { BUFFERED_BYTES, INLINE_BYTES, REPLICA_BYTES, SMALL_BYTES, STREAMED_BYTES } from './story';
import type { Act, Story } from './story';

const KEY = 'key';
const GRACE_MS = 11 * 60_000;
const DAY_MS = 25 * 3_600_000;

/** An object that nobody touches; it shares groups, segments and outboxes with the others. */
const bystander = put('bystander', bodyOf(SMALL_BYTES, 99));

const nothing = (cluster: CrashCluster): Promise<void> => perform(cluster, bystander);

const repair = task((context) => repairOutbox(context, new RetrySchedule(context.clock, 0)));
const restripe = task((context) => restripeOutbox(context, new RetrySchedule(context.clock, 0)));
const garbage = task(collectGarbage);
const census = task(async (context) => {
  for (const group of context.view.map().groups.values()) await takeCensus(context, group);
});

/** Two tours with a grace period between them, by one curator. */
const orphans: Act = async (cluster, actor) => {
  const candidates = new OrphanCandidates();
  const tour = task(async (context) => {
    for (const group of context.view.map().groups.values()) {
      await collectOrphans(context, group, candidates);
    }
  });
  await tour(cluster, actor);
  cluster.clock.leap(GRACE_MS);
  await cluster.metadata.index('index-0', 'AcknowledgeOutbox', { ids: [] });
  await tour(cluster, actor);
};

/**
 * Copies that a PUT named as missing, because a node was away which is back; and an object two of
 * whose shards were lost since.
 */
async function shortObject(cluster: CrashCluster): Promise<void> {
  await perform(cluster, bystander);
  await perform(cluster, put(KEY, bodyOf(SMALL_BYTES, 1)));
  for (const nodeId of ['b0', 'b1']) await loseShards(cluster, nodeId);
  const { groups } = cluster.metadata.view.map();
  const copies = [...groups.values()].find(({ profile }) => profile.k === 1);
  const machine = cluster.machineOf(copies?.slots[1] ?? '');
  machine.disk.inject({ atOperation: 1, kind: 'crash' });
  await perform(cluster, put('copies', bodyOf(REPLICA_BYTES, 7)));
  await cluster.restart(machine, 'process');
}

/** A disk forgets what it has, as a store does that was repaired too eagerly. */
async function loseShards(cluster: CrashCluster, nodeId: string): Promise<void> {
  const { store } = cluster.machine(nodeId);
  for (const pgId of cluster.metadata.view.map().groups.keys()) {
    const { shards } = (await store?.list(pgId, null, 1_000)) ?? { shards: [] };
    for (const { blobId, shardIndex } of shards) await store?.delete({ blobId, shardIndex });
  }
}

/** Written with a zone out, which is back. */
async function reducedObject(cluster: CrashCluster): Promise<void> {
  await perform(cluster, bystander);
  for (const nodeId of ['c0', 'c1']) await cluster.markDown(nodeId);
  await perform(cluster, put(KEY, bodyOf(SMALL_BYTES, 1)));
  for (const nodeId of ['c0', 'c1']) {
    await cluster.restart(cluster.machine(nodeId), 'process');
  }
  await cluster.plan();
}

/** An object that was overwritten a grace period ago. */
async function overwritten(cluster: CrashCluster): Promise<void> {
  await perform(cluster, bystander);
  await perform(cluster, put(KEY, bodyOf(SMALL_BYTES, 1)));
  await perform(cluster, put(KEY, bodyOf(REPLICA_BYTES, 2)));
  cluster.clock.leap(GRACE_MS);
}

/** The shards of a PUT whose gateway died before the commit, a day ago. */
async function orphaned(cluster: CrashCluster): Promise<void> {
  await perform(cluster, bystander);
  const count = new Actor('count');
  await cluster.clock.settle(put(KEY, bodyOf(SMALL_BYTES, 1))(cluster, count));
  const dying = new Actor('dying', [{ call: count.calls, fate: 'crash' }]);
  await cluster.clock.settle(put(KEY, bodyOf(SMALL_BYTES, 2))(cluster, dying));
  cluster.clock.leap(DAY_MS);
  await cluster.metadata.index('index-0', 'AcknowledgeOutbox', { ids: [] });
}

/** An upload with its only part; `uploads` of the story remembers its id. */
class Upload {
  #uploadId = '';
  readonly #body: Buffer;

  constructor(body: Buffer) {
    this.#body = body;
  }

  readonly begin = async (cluster: CrashCluster): Promise<void> => {
    await perform(cluster, bystander);
    const { settle } = this.#calls(cluster, new Actor('preparation'));
    const { bytes } = await settle('CreateMultipartUpload', { uploads: '' });
    this.#uploadId = /<UploadId>(.*)<\/UploadId>/.exec(bytes.toString())?.[1] ?? '';
    const part = await settle(
      'UploadPart',
      { uploadId: this.#uploadId, partNumber: '1' },
      this.#body,
    );
    if (part.status !== 200) throw new Error('the part was not stored');
  };

  readonly complete: Act = async (cluster, actor) => {
    const acknowledge = cluster.known.begin(KEY, this.#body);
    const { send } = this.#calls(cluster, actor);
    const etag = createHash('md5').update(this.#body).digest('hex');
    const document =
      '<CompleteMultipartUpload><Part><PartNumber>1</PartNumber>' +
      `<ETag>"${etag}"</ETag></Part></CompleteMultipartUpload>`;
    const query = { uploadId: this.#uploadId };
    const { status } = await send('CompleteMultipartUpload', query, Buffer.from(document));
    if (status === 200) acknowledge();
  };

  /** Replaces the only part with the same bytes. */
  readonly replacePart: Act = async (cluster, actor) => {
    const { send } = this.#calls(cluster, actor);
    await send('UploadPart', { uploadId: this.#uploadId, partNumber: '1' }, this.#body);
  };

  readonly abort: Act = async (cluster, actor) => {
    const { send } = this.#calls(cluster, actor);
    await send('AbortMultipartUpload', { uploadId: this.#uploadId });
  };

  #calls(cluster: CrashCluster, actor: Actor) {
    const gateway = cluster.gateway(actor);
    const send = (
      name: string,
      query: Record<string, string>,
      body: Uint8Array = Buffer.alloc(0),
    ) => gateway.send(name, { bucket: BUCKET, key: KEY, query, body });
    const settle: typeof send = (...args) => cluster.clock.settle(send(...args));
    return { send, settle };
  }
}

function uploadStory(name: string, roles: (upload: Upload) => Pick<Story, 'act' | 'rival'>): Story {
  // One story runs many times, each time with an upload of its own.
  let upload = new Upload(bodyOf(SMALL_BYTES, 3));
  const roleOf =
    (role: 'act' | 'rival'): Act =>
    (cluster, actor) =>
      roles(upload)[role]?.(cluster, actor) ?? Promise.resolve();
  const story = {
    name,
    prepare: (cluster: CrashCluster) => {
      upload = new Upload(bodyOf(SMALL_BYTES, 3));
      return upload.begin(cluster);
    },
    act: roleOf('act'),
    tidy: ((cluster, actor) => upload.abort(cluster, actor)) satisfies Act,
  };
  return roles(upload).rival === undefined ? story : { ...story, rival: roleOf('rival') };
}

/** Compacts segments that are mostly dead, on every machine that is up. */
const compact: Act = async (cluster) => {
  for (const machine of cluster.machines) {
    await machine.store?.maintain().catch((error: unknown) => {
      if (machine.store !== null) throw error;
    });
  }
};

/** Sealed segments, most of whose bytes are dead. */
async function deadSegments(cluster: CrashCluster): Promise<void> {
  await perform(cluster, bystander);
  for (const [at, key] of ['one', 'two', 'three'].entries()) {
    await perform(cluster, put(key, bodyOf(STREAMED_BYTES, 10 + at)));
  }
  for (const key of ['one', 'two']) await perform(cluster, remove(key));
  cluster.clock.leap(GRACE_MS);
  await perform(cluster, garbage);
}

/** Stories of one process. */
export const STORIES: readonly Story[] = [
  { name: 'put-inline', prepare: nothing, act: put(KEY, bodyOf(INLINE_BYTES, 1)) },
  { name: 'put-replicated', prepare: nothing, act: put(KEY, bodyOf(REPLICA_BYTES, 1)) },
  { name: 'put-buffered', prepare: nothing, act: put(KEY, bodyOf(BUFFERED_BYTES, 1)) },
  { name: 'put-streamed', prepare: nothing, act: put(KEY, bodyOf(STREAMED_BYTES, 1)) },
  { name: 'overwrite', prepare: shortObject, act: put(KEY, bodyOf(SMALL_BYTES, 2)) },
  { name: 'delete', prepare: shortObject, act: remove(KEY) },
  uploadStory('complete', ({ complete }) => ({ act: complete })),
  uploadStory('replace-part', ({ replacePart }) => ({ act: replacePart })),
  { name: 'repair', prepare: shortObject, act: sequence(census, repair) },
  { name: 'restripe', prepare: reducedObject, act: restripe },
  { name: 'garbage', prepare: overwritten, act: garbage },
  { name: 'orphans', prepare: orphaned, act: orphans },
  { name: 'compaction', prepare: deadSegments, act: compact },
];

/** Stories of two processes: each is run with the rival between any two calls of the other. */
export const RIVALRIES: readonly Story[] = [
  {
    name: 'put-and-collectors',
    prepare: overwritten,
    act: put(KEY, bodyOf(SMALL_BYTES, 4)),
    rival: sequence(garbage, orphans),
  },
  {
    name: 'slow-put-and-collectors',
    prepare: nothing,
    act: put(KEY, bodyOf(SMALL_BYTES, 4)),
    rival: sequence(garbage, orphans),
    leapMs: DAY_MS,
  },
  {
    name: 'restripe-and-delete',
    prepare: reducedObject,
    act: restripe,
    rival: remove(KEY),
  },
  {
    name: 'restripe-and-overwrite',
    prepare: reducedObject,
    act: restripe,
    rival: put(KEY, bodyOf(REPLICA_BYTES, 5)),
  },
  {
    name: 'restripe-and-restripe',
    prepare: reducedObject,
    act: restripe,
    rival: restripe,
  },
  {
    name: 'slow-restripe-and-collectors',
    prepare: reducedObject,
    act: restripe,
    rival: sequence(garbage, orphans),
    leapMs: DAY_MS,
  },
  {
    name: 'repair-and-delete',
    prepare: shortObject,
    act: sequence(census, repair),
    rival: sequence(remove(KEY), leapAndCollect()),
  },
  {
    name: 'repair-and-repair',
    prepare: shortObject,
    act: sequence(census, repair),
    rival: sequence(census, repair),
  },
  {
    name: 'garbage-and-overwrite',
    prepare: overwritten,
    act: garbage,
    rival: put(KEY, bodyOf(SMALL_BYTES, 6)),
  },
  uploadStory('complete-and-abort', ({ complete, abort }) => ({ act: complete, rival: abort })),
  uploadStory('complete-and-complete', ({ complete }) => ({ act: complete, rival: complete })),
  uploadStory('replace-part-and-complete', ({ replacePart, complete }) => ({
    act: replacePart,
    rival: complete,
  })),
  uploadStory('replace-part-and-abort', ({ replacePart, abort }) => ({
    act: replacePart,
    rival: abort,
  })),
];

function leapAndCollect(): Act {
  return async (cluster, actor) => {
    cluster.clock.leap(GRACE_MS);
    await garbage(cluster, actor);
  };
}
