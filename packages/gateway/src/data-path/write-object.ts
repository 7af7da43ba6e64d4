import { StoreError } from '@azimuth/common';

import { wrongLength } from './body-length';
import { writeBuffered } from './buffered-write';
import type { ByteSource } from './byte-source';
import { BodyDigests } from './checksum';
import { requireWholeGroup } from './choose-group';
import type { WriteOptions, WrittenBody } from './data-path';
import type { DataPathContext } from './data-path-context';
import { writeStreamed } from './streamed-write';

/** Bodies up to this many stripes are kept until they are safe, so that a failed write is repeated. */
const BUFFERED_STRIPES = 2;

/** The write path: inline, buffered or streamed by size. Errors: see `DataPath.write`. */
export async function writeObject(
  context: DataPathContext,
  source: ByteSource,
  options: WriteOptions,
): Promise<WrittenBody> {
  if (options.signal?.aborted === true) throw new StoreError('CANCELLED');
  const { settings } = context.view.map();
  const { sizeBytes } = options;
  const bodyDigests = await BodyDigests.open(options.digests);
  if (sizeBytes <= settings.inlineBytesMax) {
    // Its copies are the replicas of the metadata, which an outage leaves fewer of as well.
    if (options.outagePolicy === 'strict') requireWholeGroup(context.view.map(), 'erasure');
    const inline = await readInline(source, sizeBytes, bodyDigests);
    const data = { inline, blobs: [], missing: [] };
    return { data, digests: await bodyDigests.finish() };
  }
  const kind = sizeBytes <= settings.replicaBytesMax ? 'replica' : 'erasure';
  const bufferedMax = BUFFERED_STRIPES * settings.erasureProfile.k * settings.blockBytes;
  const write =
    sizeBytes <= Math.max(bufferedMax, settings.replicaBytesMax) ? writeBuffered : writeStreamed;
  const { blob, missing, mapVersion } = await write(context, source, {
    ...options,
    kind,
    bodyDigests,
  });
  const isComplete = missing.length === 0;
  return {
    data: {
      inline: null,
      blobs: [blob],
      missing: isComplete ? [] : [{ blobId: blob.blobId, shardIndexes: missing }],
      mapVersion,
    },
    digests: await bodyDigests.finish(),
  };
}

async function readInline(
  source: ByteSource,
  sizeBytes: number,
  digests: BodyDigests,
): Promise<Buffer> {
  const inline = Buffer.allocUnsafe(sizeBytes);
  let received = 0;
  await source.readInto((chunk) => {
    if (received + chunk.length > sizeBytes) throw wrongLength(sizeBytes);
    inline.set(chunk, received);
    digests.update(chunk);
    received += chunk.length;
    return undefined;
  });
  if (received !== sizeBytes) throw wrongLength(sizeBytes);
  return inline;
}
