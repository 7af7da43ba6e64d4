import { StoreError } from '@azimuth/common';
import type { BlobRef, IndexCommands, PartRecord, VersionBody, VersionPart } from '@azimuth/proto';

import type { CommandContext } from './command-context';
import { addressOf, versionOwner } from './index-state';
import type { IndexState } from './index-state';
import { checkWritePrecondition } from './write-precondition';

type Args = IndexCommands['CompleteUpload']['args'];
type Result = IndexCommands['CompleteUpload']['result'];

/** CompleteUpload: M-3, M-6, M-7. */
export function completeUpload(state: IndexState, args: Args, context: CommandContext): Result {
  const at = addressOf(args);
  const { draft, uploadId } = args;
  const earlier = state.uploads.tombstone(at, uploadId);
  if (earlier?.result != null) return earlier.result;
  const upload = state.uploads.require(at, uploadId);
  state.usage.checkOpen(args.bucketId);
  const stored = state.uploads.parts(at, uploadId);
  const chosen = chooseParts(stored, args.parts);
  const body = joinParts(chosen);
  const sizeBytes = chosen.reduce((sum, part) => sum + part.sizeBytes, 0);
  if (sizeBytes !== draft.sizeBytes) throw new StoreError('INVALID_ARGUMENT', { sizeBytes });
  checkWritePrecondition(args.precondition, state.versions.current(at)?.head ?? null);

  const commit = state.putVersion(
    at,
    args.versioning,
    { draft, partsCount: chosen.length, body },
    context,
  );
  const owner = versionOwner(at, commit.sequence);
  for (const blob of body.blobs) state.blobs.own(blob, owner);
  const chosenNumbers = new Set(chosen.map(({ partNumber }) => partNumber));
  for (const part of stored) {
    if (!chosenNumbers.has(part.partNumber)) state.blobs.release(part.blobs, context.nowMs);
  }
  const result = { ...commit, etag: draft.etag, checksum: draft.checksum };
  state.uploads.end(at, upload, result, context.nowMs);
  state.usage.add(args.bucketId, { uploads: -1 });
  return result;
}

/** @throws StoreError PART_NOT_FOUND, INVALID_ARGUMENT */
function chooseParts(stored: readonly PartRecord[], wanted: Args['parts']): PartRecord[] {
  if (wanted.length === 0) throw new StoreError('INVALID_ARGUMENT', { reason: 'no parts' });
  const byNumber = new Map(stored.map((part) => [part.partNumber, part]));
  let previous = 0;
  return wanted.map(({ partNumber, etag }) => {
    if (partNumber <= previous) {
      throw new StoreError('INVALID_ARGUMENT', { reason: 'parts out of order', partNumber });
    }
    previous = partNumber;
    const part = byNumber.get(partNumber);
    if (part?.etag !== etag) throw new StoreError('PART_NOT_FOUND', { partNumber });
    return part;
  });
}

/**
 * The bytes of the parts one after the other. Only the last part may be inline: all others have the
 * minimum size of a part, far above what is kept inline.
 */
function joinParts(chosen: readonly PartRecord[]): VersionBody {
  const blobs: BlobRef[] = [];
  const parts: VersionPart[] = [];
  let inline: Uint8Array | null = null;
  for (const part of chosen) {
    if (inline !== null) {
      throw new StoreError('INVALID_ARGUMENT', { reason: 'only the last part may be inline' });
    }
    inline = part.inline;
    blobs.push(...part.blobs);
    parts.push({
      partNumber: part.partNumber,
      sizeBytes: part.sizeBytes,
      etag: part.etag,
      checksum: part.checksum?.value ?? null,
    });
  }
  return { inline, blobs, parts };
}
