import { objectTarget } from '../access-target';
import { isVersioned, requireWritableObject } from '../bucket-access';
import { parseTaggingDocument, requestTagConditions } from '../object-tags';
import type { Operation } from '../operation';
import { refuseConditions } from '../precondition';
import { readDocument } from '../request-document';
import { versionIdOf } from '../version-id';
import { findVersion } from './current-version';
import { updateVersion } from './update-version';

/** Ten tags of the longest keys and values, with markup. */
const DOCUMENT_BYTES_MAX = 64 * 1024;

/** @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectTagging.html */
export const putObjectTagging: Operation = {
  name: 'PutObjectTagging',
  body: 'document',
  documentBytesMax: DOCUMENT_BYTES_MAX,

  async handle(request, context) {
    const versionId = versionIdOf(request.query);
    refuseConditions(request.headers);
    const location = await requireWritableObject(request, context);
    const document = await readDocument(request, {
      bytesMax: DOCUMENT_BYTES_MAX,
      integrity: 'checked',
    });
    const tags = parseTaggingDocument(document);
    // Conditions on the new tags can be judged only now that they are known.
    const action = versionId === null ? 's3:PutObjectTagging' : 's3:PutObjectVersionTagging';
    const lookUp = { versionId, withBody: false, signal: request.signal };
    const target = objectTarget(
      location,
      versionId,
      async () => (await findVersion(location, lookUp, context))?.head ?? null,
    );
    await request.access.require(action, target, requestTagConditions(tags));

    const updated = await updateVersion(location, { versionId, tags }, request, context);
    return {
      status: 200,
      headers: isVersioned(location.bucket) ? { 'x-amz-version-id': updated.versionId } : {},
    };
  },
};
