import { hasCode, required } from '@azimuth/common';
import type { StoredChecksum } from '@azimuth/proto';

import type { WrittenBody } from '../../data-path/data-path';
import type { ObjectLocation } from '../bucket-access';
import type { OperationContext } from '../operation';
import { commitOrDiscard } from '../verified-write';
import { noSuchUpload } from './upload-id';

export interface PartDraft {
  readonly uploadId: string;
  readonly partNumber: number;
  readonly sizeBytes: number;
  readonly checksum: StoredChecksum | null;
  readonly signal: AbortSignal;
}

export interface CommittedPart {
  readonly etag: string;
  readonly lastModifiedMs: number;
}

/** Adds a written body to its upload, replacing an earlier part of that number (M-7). */
export async function commitPart(
  location: ObjectLocation,
  { uploadId, signal, ...part }: PartDraft,
  { data, digests }: WrittenBody,
  context: OperationContext,
): Promise<CommittedPart> {
  const etag = required(digests.get('MD5'), 'MD5 digest').toString('hex');
  try {
    const { lastModifiedMs } = await commitOrDiscard(data, context, () =>
      context.metadata.index(
        location.group,
        'CommitPart',
        { ...location.address, uploadId, part: { ...part, etag }, data },
        { signal },
      ),
    );
    return { etag, lastModifiedMs };
  } catch (error) {
    if (hasCode(error, 'UPLOAD_NOT_FOUND')) throw noSuchUpload(uploadId);
    throw error;
  }
}
