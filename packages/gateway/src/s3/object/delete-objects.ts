import { AssertionError, mapLimited } from '@azimuth/common';
import type { BucketRecord } from '@azimuth/proto';

import type { S3Request } from '../../http/request';
import type { XmlElement } from '../../http/xml/xml-element';
import {
  childrenOf,
  childText,
  malformedXml,
  parseXml,
  requireRoot,
} from '../../http/xml/xml-element';
import type { XmlFragment } from '../../http/xml/xml-writer';
import { element, optionalElement, textElement, xmlDocument } from '../../http/xml/xml-writer';
import { objectTarget } from '../access-target';
import type { ObjectLocation } from '../bucket-access';
import { checkKeyLength, locateObject, requireBucket, requireFreshView } from '../bucket-access';
import type { Operation, OperationContext } from '../operation';
import { parseEntityTags, refuseConditions } from '../precondition';
import { readDocument } from '../request-document';
import { toS3Error } from '../s3-error';
import { parseVersionId } from '../version-id';
import { findVersion } from './current-version';
import type { DeleteConditions } from './delete-precondition';
import { parseConditionSize, parseConditionTime } from './delete-precondition';
import { deleteVersion } from './deleted-version';

/** 1000 keys of 1 KiB, with markup. */
const DOCUMENT_BYTES_MAX = 2 * 1024 ** 2;
const KEYS_MAX = 1000;
const DELETES_IN_FLIGHT_MAX = 64;

interface Entry {
  readonly key: string;
  readonly versionId: string | null;
  readonly etag: string | null;
  readonly lastModifiedTime: string | null;
  readonly size: string | null;
}

/** @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html */
export const deleteObjects: Operation = {
  name: 'DeleteObjects',
  body: 'document',
  documentBytesMax: DOCUMENT_BYTES_MAX,

  async handle(request, context) {
    await requireFreshView(context, request.signal);
    // Each entry has its own.
    refuseConditions(request.headers);
    const bucket = await requireBucket(request, context);
    const document = await readDocument(request, {
      bytesMax: DOCUMENT_BYTES_MAX,
      integrity: 'required',
    });
    const { entries, isQuiet } = parseDelete(document);

    const results = await mapLimited(entries, DELETES_IN_FLIGHT_MAX, (entry) =>
      deleteEntry(entry, { bucket, isQuiet, request }, context),
    );
    return {
      status: 200,
      body: { kind: 'xml', document: xmlDocument('DeleteResult', results) },
    };
  },
};

function parseDelete(document: Buffer): {
  readonly entries: readonly Entry[];
  readonly isQuiet: boolean;
} {
  const root = requireRoot(parseXml(document), 'Delete');
  const entries = childrenOf(root, ['Object', 'Quiet'])
    .filter((child) => child.name === 'Object')
    .map(parseEntry);
  if (entries.length === 0 || entries.length > KEYS_MAX) throw malformedXml();
  const quiet = childText(root, 'Quiet')?.trim() ?? 'false';
  if (quiet !== 'true' && quiet !== 'false') throw malformedXml();
  return { entries, isQuiet: quiet === 'true' };
}

function parseEntry(object: XmlElement): Entry {
  childrenOf(object, ['Key', 'VersionId', 'ETag', 'LastModifiedTime', 'Size']);
  const key = childText(object, 'Key');
  if (key === null || key === '') throw malformedXml();
  return {
    key,
    versionId: childText(object, 'VersionId'),
    etag: childText(object, 'ETag'),
    lastModifiedTime: childText(object, 'LastModifiedTime'),
    size: childText(object, 'Size'),
  };
}

interface Deletion {
  readonly bucket: BucketRecord;
  readonly isQuiet: boolean;
  readonly request: S3Request;
}

/** One entry's failure is its own `<Error>`; the others go on (V-18). */
async function deleteEntry(
  entry: Entry,
  { bucket, isQuiet, request }: Deletion,
  context: OperationContext,
): Promise<XmlFragment | null> {
  try {
    checkKeyLength(entry.key);
    const versionId = entry.versionId === null ? null : parseVersionId(entry.versionId);
    const location = locateObject(bucket, entry.key, context);
    await requireDeletion(location, versionId, request, context);
    const conditions = parseConditions(entry);
    const deleted = await deleteVersion(location, { versionId, conditions }, request, context);
    if (isQuiet) return null;
    return element('Deleted', [
      textElement('Key', entry.key),
      optionalElement('VersionId', versionId),
      deleted.isDeleteMarker ? textElement('DeleteMarker', true) : null,
      deleted.isDeleteMarker ? optionalElement('DeleteMarkerVersionId', deleted.versionId) : null,
    ]);
  } catch (error) {
    if (error instanceof AssertionError) throw error;
    const refusal = toS3Error(error);
    return element('Error', [
      textElement('Key', entry.key),
      optionalElement('VersionId', entry.versionId),
      textElement('Code', refusal.code),
      textElement('Message', refusal.message),
    ]);
  }
}

/** Each key is authorized by itself, by the action that deleting it alone would need (P-2, V-13). */
async function requireDeletion(
  location: ObjectLocation,
  versionId: string | null,
  { access, signal }: S3Request,
  context: OperationContext,
): Promise<void> {
  const lookUp = { versionId, withBody: false, signal };
  await access.require(
    versionId === null ? 's3:DeleteObject' : 's3:DeleteObjectVersion',
    objectTarget(
      location,
      versionId,
      async () => (await findVersion(location, lookUp, context))?.head ?? null,
    ),
  );
}

function parseConditions({ etag, lastModifiedTime, size }: Entry): DeleteConditions {
  const conditions = {
    ifMatch: etag === null ? null : (parseEntityTags(etag) ?? []),
    lastModifiedMs: lastModifiedTime === null ? null : parseConditionTime(lastModifiedTime.trim()),
    sizeBytes: size === null ? null : parseConditionSize(size.trim()),
  };
  const isTimeWrong = lastModifiedTime !== null && conditions.lastModifiedMs === null;
  const isSizeWrong = size !== null && conditions.sizeBytes === null;
  if (isTimeWrong || isSizeWrong) throw malformedXml();
  return conditions;
}
