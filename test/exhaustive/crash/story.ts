import { hasCode, StoreError } from '@azimuth/common';

import type { CuratorContext } from '../../../packages/curator/src/curator-context';

import { Actor } from './actor';
import { BUCKET } from './crash-cluster';
import type { CrashCluster } from './crash-cluster';

/** What one process does, from its first call to its last. */
export type Act = (cluster: CrashCluster, actor: Actor) => Promise<void>;

export interface Story {
  readonly name: string;
  /** Nothing fails here. */
  readonly prepare: (cluster: CrashCluster) => Promise<void>;
  readonly act: Act;
  /** Runs as a whole between two calls of `act`, in the stories of two processes. */
  readonly rival?: Act;
  /** Time that passes without events before the rival. */
  readonly leapMs?: number;
  /** What a client does afterwards with what was left undone. */
  readonly tidy?: Act;
}

/** A body that is as long as it says and unlike any other. */
export function bodyOf(sizeBytes: number, seed: number): Buffer {
  const body = Buffer.alloc(sizeBytes);
  for (let at = 0; at < sizeBytes; at += 4096) {
    body.fill((seed * 31 + at / 4096) % 251, at, Math.min(at + 4096, sizeBytes));
  }
  body[0] = seed;
  return body;
}

export const INLINE_BYTES = 500;
/** Three copies. */
export const REPLICA_BYTES = 9_000;
/** One short stripe. */
export const SMALL_BYTES = 25_000;
/** Two stripes of 4 × 64 KiB at most are kept in memory until they are safe. */
export const BUFFERED_BYTES = 270_000;
export const STREAMED_BYTES = 530_000;

export function put(key: string, body: Uint8Array): Act {
  return async (cluster, actor) => {
    const acknowledge = cluster.known.begin(key, body);
    const gateway = cluster.gateway(actor);
    const { status } = await gateway.send('PutObject', { bucket: BUCKET, key, body });
    if (status === 200) acknowledge();
    await gateway.dataPath.idle();
  };
}

export function remove(key: string): Act {
  return async (cluster, actor) => {
    const acknowledge = cluster.known.begin(key, null);
    const { status } = await cluster.gateway(actor).send('DeleteObject', { bucket: BUCKET, key });
    if (status === 204) acknowledge();
  };
}

/** A task of the curator; it may give up for any reason that a storage node or a leader gives. */
export function task(run: (context: CuratorContext) => Promise<unknown>): Act {
  return async (cluster, actor) => {
    try {
      await run(cluster.curator(actor));
    } catch (error) {
      if (!(error instanceof StoreError) || hasCode(error, 'INTERNAL')) throw error;
    }
  };
}

/** One after the other; a later one runs although an earlier one failed. */
export function sequence(...acts: readonly Act[]): Act {
  return async (cluster, actor) => {
    for (const act of acts) await act(cluster, actor);
  };
}

/** Carries out what must not fail. */
export async function perform(cluster: CrashCluster, act: Act): Promise<void> {
  await cluster.clock.settle(act(cluster, new Actor('preparation')));
}
