import { required } from '@azimuth/common';

import { isVersioned, requireWritableObject } from '../bucket-access';
import {
  checksumResponseHeaders,
  digestsToCompute,
  fullObjectChecksum,
  parseExpectedDigests,
  verifyDigests,
} from '../checksum-headers';
import { parseObjectAttributes, quoteEtag } from '../object-headers';
import type { Operation } from '../operation';
import { parseWritePrecondition, refuseEarly } from '../precondition';
import { commitOrDiscard, writeVerified } from '../verified-write';
import { findVersion } from './current-version';
import { requireUploadSize } from './write-size';

/** @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html */
export const putObject: Operation = {
  name: 'PutObject',
  action: 's3:PutObject',
  body: 'stream',

  async handle(request, context) {
    const { body, headers, signal } = request;
    const sizeBytes = requireUploadSize(body);
    const precondition = parseWritePrecondition(headers);
    const attributes = parseObjectAttributes(headers);
    const expected = parseExpectedDigests(request);
    const location = await requireWritableObject(request, context);
    if (precondition !== null) {
      const lookUp = { versionId: null, withBody: false, signal };
      const current = await findVersion(location, lookUp, context);
      refuseEarly(precondition, current?.head ?? null);
    }

    const algorithm = expected.checksum?.algorithm;
    const { data, digests } = await writeVerified(
      body.source,
      { sizeBytes, slot: location.slot, digests: digestsToCompute(algorithm), signal },
      (computed) => verifyDigests(expected, computed, body.trailers()),
      context,
    );

    const etag = required(digests.get('MD5'), 'MD5 digest').toString('hex');
    const checksum = fullObjectChecksum(algorithm, digests);
    const { bucket, key } = location;
    const version = { key, sizeBytes, etag, checksum, owner: bucket.owner };
    const draft = { ...version, ...attributes, tags: {}, acl: null };
    // The bytes are durable before this commit makes them reachable. A crash in between leaves
    // garbage for the collector, never a key that points at missing data.
    const { versionId } = await commitOrDiscard(data, context, () =>
      context.metadata.index(location.group, 'CommitVersion', {
        ...location.address,
        versioning: bucket.versioning,
        draft,
        data,
        precondition,
      }),
    );
    return {
      status: 200,
      headers: {
        etag: quoteEtag(etag),
        ...checksumResponseHeaders(checksum),
        ...(isVersioned(bucket) ? { 'x-amz-version-id': versionId } : {}),
        'content-length': '0',
      },
    };
  },
};
