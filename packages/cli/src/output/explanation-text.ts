import type { BlobExplanation, Explanation } from '../explanation';
import { renderTable } from './table';

/** `azimuth explain` for people. */
export function renderExplanation({
  bucket,
  head,
  indexGroup,
  inlineBytes,
  blobs,
}: Explanation): string[] {
  const lines = [
    `s3://${bucket}/${head.key}`,
    `  version ${head.versionId}${head.isDeleteMarker ? ', a delete marker' : ''}`,
    `  ${head.sizeBytes} bytes, ETag "${head.etag}", ${head.storageClass}, ` +
      new Date(head.lastModifiedMs).toISOString(),
    `  metadata in ${indexGroup}, replicated on a majority of the metadata nodes`,
  ];
  if (inlineBytes !== null) {
    lines.push(`  ${inlineBytes} bytes are kept inline, with the metadata and as safe as it`);
  }
  return [...lines, ...blobs.flatMap(renderBlob)];
}

function renderBlob(blob: BlobExplanation): string[] {
  const reduced = blob.isReduced ? ', protection reduced until it is re-striped' : '';
  const table = renderTable(
    ['SHARD', 'ZONE', 'NODE', 'DISK', 'STATE'],
    blob.shards.map(({ shardIndex, zone, nodeId, diskId, presence }) => [
      shardIndex,
      zone,
      nodeId,
      diskId.slice(0, 8),
      presence,
    ]),
  );
  return [
    '',
    `blob ${blob.blobId}: ${blob.sizeBytes} bytes, ${blob.profile} in group ${blob.pgId}${reduced}`,
    ...table.map((line) => `  ${line}`),
    `  ${blob.survives}`,
  ];
}
