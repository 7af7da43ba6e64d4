import { element, xmlDocument } from '../../http/xml/xml-writer';
import { isVersioned, requireObject } from '../bucket-access';
import type { Operation } from '../operation';
import { versionIdOf } from '../version-id';
import { requireVersion } from './current-version';

/** @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectTagging.html */
export const getObjectTagging: Operation = {
  name: 'GetObjectTagging',
  action: 's3:GetObjectTagging',
  body: 'none',

  async handle(request, context) {
    const versionId = versionIdOf(request.query);
    const location = await requireObject(request, context);
    const lookUp = { versionId, withBody: false, signal: request.signal };
    const { head } = await requireVersion(location, lookUp, context);

    // Whatever would give an object tags is refused, so the set is empty, which is no error.
    // Clients ask before they copy an object in parts.
    const document = xmlDocument('Tagging', [element('TagSet', [])]);
    return {
      status: 200,
      headers: isVersioned(location.bucket) ? { 'x-amz-version-id': head.versionId } : {},
      body: { kind: 'xml', document },
    };
  },
};
