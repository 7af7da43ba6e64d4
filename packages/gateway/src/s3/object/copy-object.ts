import { required } from '@azimuth/common';
import type { VersionDraft, VersionHead } from '@azimuth/proto';

import type { S3Request } from '../../http/request';
import { textElement, xmlDocument } from '../../http/xml/xml-writer';
import type { ObjectLocation } from '../bucket-access';
import { isVersioned, requireWritableObject, writeTarget } from '../bucket-access';
import {
  checksumElements,
  digestsToCompute,
  fullObjectChecksum,
  parseChecksumAlgorithm,
} from '../checksum-headers';
import type { CopySource } from '../copy-source';
import { COPY_SIZE_BYTES_MAX, copySourceTooLarge, parseCopySource } from '../copy-source';
import { isoDate } from '../http-date';
import type { ObjectAttributes } from '../object-headers';
import {
  copiedHeaders,
  parseCopyDirective,
  parseObjectAttributes,
  parseRedirectLocation,
  parseStorageClass,
  quoteEtag,
  REDIRECT_HEADER,
} from '../object-headers';
import type { Operation, OperationContext } from '../operation';
import { parseWritePrecondition } from '../precondition';
import { invalidRequest } from '../s3-error';
import { commitOrDiscard } from '../verified-write';
import { refuseVersionId } from '../version-id';
import { commitConditionally, refuseEarlyAt } from './conditional-commit';
import { parseTagsOfCopy, tagsOfCopy } from './copied-tags';
import { readFromSource, requireCopySource } from './copied-version';
import { findVersion } from './current-version';
import { newObject } from './new-object';

/** @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html */
export const copyObject: Operation = {
  name: 'CopyObject',
  body: 'none',

  async handle(request, context) {
    const { headers, signal } = request;
    refuseVersionId(request.query);
    const source = parseCopySource(headers);
    const directive = parseCopyDirective(headers, 'metadata');
    const wantedTags = parseTagsOfCopy(request);
    const given = parseObjectAttributes(headers);
    const precondition = parseWritePrecondition(headers);
    const wantedChecksum = parseChecksumAlgorithm(headers);
    const target = await requireWritableObject(request, context);

    const copied = await requireCopySource(source, request, context);
    const { version, location } = copied;
    const { head } = version;
    if (head.sizeBytes > COPY_SIZE_BYTES_MAX) throw copySourceTooLarge();
    const algorithm = wantedChecksum ?? head.checksum?.algorithm ?? null;
    const changes = directive === 'REPLACE' || algorithm !== (head.checksum?.algorithm ?? null);
    if (!changes) await refuseCopyToItself({ source, location, target, head, request }, context);
    const attributes = copiedAttributes(directive, given, head);
    const tags = await tagsOfCopy(wantedTags, copied, target, request);
    const object = newObject(request, target, { attributes, tags }, context);
    await refuseEarlyAt(target, precondition, request, context);

    const { sizeBytes } = head;
    const { data, digests } = await context.dataPath.write(
      readFromSource(version, { from: 0, to: sizeBytes }, signal, context),
      { ...writeTarget(target, object), sizeBytes, digests: digestsToCompute(algorithm), signal },
    );
    const etag = required(digests.get('MD5'), 'MD5 digest').toString('hex');
    const checksum = fullObjectChecksum(algorithm, digests);
    const { bucket, key } = target;
    const draft: VersionDraft = { key, sizeBytes, etag, checksum, ...object };
    const { versionId, lastModifiedMs } = await commitConditionally(precondition, () =>
      commitOrDiscard(data, context, () =>
        context.metadata.index(
          target.group,
          'CommitVersion',
          { ...target.address, versioning: bucket.versioning, draft, data, precondition },
          { signal },
        ),
      ),
    );
    const document = xmlDocument('CopyObjectResult', [
      textElement('LastModified', isoDate(lastModifiedMs)),
      textElement('ETag', quoteEtag(draft.etag)),
      ...checksumElements(draft.checksum),
    ]);
    return {
      status: 200,
      headers: {
        ...(isVersioned(bucket) ? { 'x-amz-version-id': versionId } : {}),
        ...(isVersioned(location.bucket) ? { 'x-amz-copy-source-version-id': head.versionId } : {}),
      },
      body: { kind: 'xml', document },
    };
  },
};

/** Class and redirect never come from the source: they are those of the headers. */
function copiedAttributes(
  directive: 'COPY' | 'REPLACE',
  given: ObjectAttributes,
  source: VersionHead,
): ObjectAttributes {
  if (directive === 'REPLACE') return given;
  const redirect = given.headers[REDIRECT_HEADER];
  return {
    headers: {
      ...copiedHeaders(source.headers),
      ...(redirect === undefined ? {} : { [REDIRECT_HEADER]: redirect }),
    },
    userMetadata: source.userMetadata,
    storageClass: given.storageClass,
  };
}

interface SelfCopyCheck {
  readonly source: CopySource;
  readonly location: ObjectLocation;
  readonly target: ObjectLocation;
  readonly head: VersionHead;
  readonly request: S3Request;
}

/** V-20. Naming a version that is not the current one is the idiom that restores it. */
async function refuseCopyToItself(
  { source, location, target, head, request }: SelfCopyCheck,
  context: OperationContext,
): Promise<void> {
  const isSame = location.bucket.bucketId === target.bucket.bucketId && location.key === target.key;
  if (!isSame) return;
  if (parseRedirectLocation(request.headers) !== null) return;
  const storageClass = parseStorageClass(request.headers);
  if (storageClass !== null && storageClass !== head.storageClass) return;
  if (source.versionId !== null) {
    const lookUp = { versionId: null, withBody: false, signal: request.signal };
    const current = await findVersion(target, lookUp, context);
    if (current?.head.sequence !== head.sequence) return;
  }
  throw invalidRequest(
    'This copy request is illegal because it is trying to copy an object to itself without ' +
      "changing the object's metadata, storage class, website redirect location or encryption " +
      'attributes.',
  );
}
