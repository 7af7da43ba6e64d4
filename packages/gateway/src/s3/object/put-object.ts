import { required } from '@azimuth/common';
import type { VersionDraft } from '@azimuth/proto';

import { isVersioned, requireWritableObject, writeTarget } from '../bucket-access';
import {
  checksumResponseHeaders,
  digestsToCompute,
  fullObjectChecksum,
  parseExpectedDigests,
  verifyDigests,
} from '../checksum-headers';
import { parseObjectAttributes, quoteEtag } from '../object-headers';
import { parseTaggingHeader } from '../object-tags';
import type { Operation } from '../operation';
import { parseWritePrecondition } from '../precondition';
import { commitOrDiscard, writeVerified } from '../verified-write';
import { refuseVersionId } from '../version-id';
import { commitConditionally, refuseEarlyAt } from './conditional-commit';
import { newObject } from './new-object';
import { requireUploadSize } from './write-size';

/** @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html */
export const putObject: Operation = {
  name: 'PutObject',
  body: 'stream',

  async handle(request, context) {
    const { body, headers, signal } = request;
    refuseVersionId(request.query);
    const sizeBytes = requireUploadSize(request);
    const precondition = parseWritePrecondition(headers);
    const given = {
      attributes: parseObjectAttributes(headers),
      tags: parseTaggingHeader(headers),
    };
    const expected = parseExpectedDigests(request);
    const location = await requireWritableObject(request, context);
    const object = newObject(request, location, given, context);
    await refuseEarlyAt(location, precondition, request, context);

    const algorithm = expected.checksum?.algorithm;
    const { data, digests } = await writeVerified(
      body.source,
      {
        sizeBytes,
        digests: digestsToCompute(algorithm),
        signal,
        ...writeTarget(location, object),
      },
      (computed) => verifyDigests(expected, computed, body.trailers()),
      context,
    );

    const etag = required(digests.get('MD5'), 'MD5 digest').toString('hex');
    const checksum = fullObjectChecksum(algorithm, digests);
    const { bucket, key } = location;
    const draft: VersionDraft = { key, sizeBytes, etag, checksum, ...object };
    // The bytes are durable before this commit makes them reachable. A crash in between leaves
    // garbage for the collector, never a key that points at missing data.
    const { versionId } = await commitConditionally(precondition, () =>
      commitOrDiscard(data, context, () =>
        context.metadata.index(
          location.group,
          'CommitVersion',
          { versioning: bucket.versioning, draft, data, precondition, ...location.address },
          { signal },
        ),
      ),
    );
    return {
      status: 200,
      headers: {
        etag: quoteEtag(etag),
        'content-length': '0',
        ...checksumResponseHeaders(checksum),
        ...(isVersioned(bucket) ? { 'x-amz-version-id': versionId } : {}),
      },
    };
  },
};
