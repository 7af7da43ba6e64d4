import { parseXml, requireRoot } from '../../http/xml/xml-element';
import { requireBucket } from '../bucket-access';
import type { Operation } from '../operation';
import { readDocument } from '../request-document';
import { S3Error } from '../s3-error';
import { CONFIGURATION_BYTES_MAX } from './configuration-operation';

/**
 * PUT of a configuration that this server has no use for yet: the empty one, which switches off
 * what is off, is accepted, because clients send it without being asked.
 */
export function acceptsNothing(spec: { readonly name: string; readonly root: string }): Operation {
  const { name, root } = spec;
  return {
    name,
    body: 'document',
    documentBytesMax: CONFIGURATION_BYTES_MAX,
    limitation: 'only the empty configuration',

    async handle(request, context) {
      await requireBucket(request, context);
      const document = await readDocument(request, {
        bytesMax: CONFIGURATION_BYTES_MAX,
        integrity: 'checked',
      });
      if (document.byteLength === 0) throw new S3Error('MissingRequestBodyError');
      const [child] = requireRoot(parseXml(document), root).children;
      if (child === undefined) return { status: 200 };
      const message = `This server does not implement ${child.name} of ${name}.`;
      throw new S3Error('NotImplemented', { Operation: name }, { message });
    },
  };
}
