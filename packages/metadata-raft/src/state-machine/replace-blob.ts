import { required } from '@azimuth/common';
import type { BlobRef, IndexCommands } from '@azimuth/proto';

import type { CommandContext } from './command-context';
import { addressOf } from './index-state';
import type { IndexState } from './index-state';

type Args = IndexCommands['ReplaceBlob']['args'];
type Result = IndexCommands['ReplaceBlob']['result'];

/** ReplaceBlob: a compare-and-set on the one record that references the old blob (B1). */
export function replaceBlob(state: IndexState, args: Args, { nowMs }: CommandContext): Result {
  const { oldBlobId, blob, missing } = args;
  const reference = state.blobs.find(oldBlobId);
  if (reference === null || reference.blob.sizeBytes !== blob.sizeBytes) {
    state.blobs.abandon([blob], nowMs);
    return { isReplaced: false };
  }
  const { owner } = reference;
  const at = addressOf(owner);
  state.blobs.check(at, [blob], nowMs);
  state.fences.check({ ...args, blobs: [blob] });
  const swap = (blobs: readonly BlobRef[]): BlobRef[] =>
    blobs.map((each) => (each.blobId === oldBlobId ? blob : each));

  if (owner.sequence !== null) {
    const body = required(state.versions.body(at, owner.sequence), 'body of the owner');
    state.versions.putBody(at, owner.sequence, { ...body, blobs: swap(body.blobs) });
  } else {
    const uploadId = required(owner.uploadId, 'upload of the owner');
    const partNumber = required(owner.partNumber, 'part of the owner');
    const part = required(state.uploads.part(at, uploadId, partNumber), 'part of the owner');
    state.uploads.putPart(at, uploadId, { ...part, blobs: swap(part.blobs) });
  }
  state.blobs.release([reference.blob], nowMs);
  state.blobs.add({ blobs: [blob], missing }, owner, nowMs);
  return { isReplaced: true };
}
