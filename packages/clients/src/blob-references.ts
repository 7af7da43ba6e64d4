import { indexGroupOfSlot } from '@azimuth/placement';
import { slotOfBlob } from '@azimuth/proto';
import type { IndexQueries } from '@azimuth/proto';

import type { CallOptions, MetadataClient } from './metadata-client';

const RESOLVE_BLOBS_MAX = 200;

/** Who references a blob; null when nothing does. */
export type Resolution = IndexQueries['ResolveBlobs']['result'][number];

/** The one of `indexGroups` that may reference the blob. */
export function groupOfBlob(blobId: string, indexGroups: number): string {
  return indexGroupOfSlot(slotOfBlob(blobId), indexGroups);
}

/**
 * Who references each blob, by a linearizable read of the one group that may: the re-check before
 * anything is deleted (R2). Null is proof that nothing referenced the blob at that index. An error
 * proves nothing, and is thrown; nor does a blob that is absent from the answer.
 */
export async function resolveBlobs(
  metadata: Pick<MetadataClient, 'queryIndex'>,
  indexGroups: number,
  blobIds: readonly string[],
  options: CallOptions,
): Promise<ReadonlyMap<string, Resolution>> {
  const byGroup = new Map<string, string[]>();
  for (const blobId of new Set(blobIds)) {
    const group = groupOfBlob(blobId, indexGroups);
    const list = byGroup.get(group);
    if (list === undefined) byGroup.set(group, [blobId]);
    else list.push(blobId);
  }
  const resolved = new Map<string, Resolution>();
  for (const [group, ids] of byGroup) {
    for (let at = 0; at < ids.length; at += RESOLVE_BLOBS_MAX) {
      const page = ids.slice(at, at + RESOLVE_BLOBS_MAX);
      const answers = await metadata.queryIndex(group, 'ResolveBlobs', { blobIds: page }, options);
      page.forEach((blobId, index) => {
        const answer = answers[index];
        // Too short an answer must not read as "unreferenced".
        if (answer !== undefined) resolved.set(blobId, answer);
      });
    }
  }
  return resolved;
}

/** True only when the read proved that nothing references the blob. */
export function isUnreferenced(resolved: ReadonlyMap<string, Resolution>, blobId: string): boolean {
  return resolved.get(blobId) === null;
}
