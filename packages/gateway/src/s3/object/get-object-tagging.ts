import { isVersioned, requireObject } from '../bucket-access';
import { taggingDocument } from '../object-tags';
import type { Operation } from '../operation';
import { versionIdOf } from '../version-id';
import { requireVersion } from './current-version';

/** @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectTagging.html */
export const getObjectTagging: Operation = {
  name: 'GetObjectTagging',
  body: 'none',

  async handle(request, context) {
    const versionId = versionIdOf(request.query);
    const location = await requireObject(request, context);
    const lookUp = { versionId, withBody: false, signal: request.signal };
    const { head } = await requireVersion(location, lookUp, context);
    return {
      status: 200,
      headers: isVersioned(location.bucket) ? { 'x-amz-version-id': head.versionId } : {},
      body: { kind: 'xml', document: taggingDocument(head.tags) },
    };
  },
};
