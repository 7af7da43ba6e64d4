import type { BucketRecord } from '@azimuth/proto';

import type { S3Request } from '../../http/request';
import type { XmlElement } from '../../http/xml/xml-element';
import { childText, parseXml, requireRoot } from '../../http/xml/xml-element';
import { element, optionalElement, textElement, xmlDocument } from '../../http/xml/xml-writer';
import { requireBucket } from '../bucket-access';
import { decodeToken, encodeToken } from '../listing';
import type { Operation } from '../operation';
import { readDocument } from '../request-document';
import { invalidArgument, S3Error } from '../s3-error';
import { changeDocument } from './bucket-change';
import { CONFIGURATION_BYTES_MAX, xmlResponse } from './configuration-operation';
import type { ElementShape } from './numbered-configuration';
import { renderElement, requireShape } from './numbered-configuration';

/** Of one kind and one bucket. */
const CONFIGURATIONS_MAX = 1000;
const PAGE_LENGTH = 100;

/** A kind of configuration of which a bucket has several, told apart by an id. */
export interface NumberedKind {
  /** `Analytics`: what the API calls it. */
  readonly name: string;
  /** Under which its configurations are stored, `analytics/ID`. */
  readonly prefix: string;
  /** Root element of the list, named as the API reference shows it. */
  readonly listRoot: string;
  readonly shape: ElementShape;
  /** What a shape cannot say. @throws S3Error */
  readonly check?: (root: XmlElement) => void;
}

function requireId({ query }: S3Request): string {
  const id = query.get('id') ?? '';
  if (!/^[\w.-]{1,64}$/.test(id)) throw invalidArgument('Invalid configuration id', 'id', id);
  return id;
}

function requireStored(bucket: BucketRecord, kind: NumberedKind, id: string): string {
  const document = bucket.configurations[`${kind.prefix}/${id}`];
  if (document === undefined) throw new S3Error('NoSuchConfiguration');
  return document;
}

export function getNumbered(kind: NumberedKind): Operation {
  return {
    name: `GetBucket${kind.name}Configuration`,
    body: 'none',
    async handle(request, context) {
      const bucket = await requireBucket(request, context);
      const stored = requireStored(bucket, kind, requireId(request));
      const { name, children } = JSON.parse(stored) as XmlElement;
      return xmlResponse(xmlDocument(name, children.map(renderElement)));
    },
  };
}

export function putNumbered(kind: NumberedKind): Operation {
  const root = `${kind.name}Configuration`;
  return {
    name: `PutBucket${root}`,
    body: 'document',
    documentBytesMax: CONFIGURATION_BYTES_MAX,
    async handle(request, context) {
      const bucket = await requireBucket(request, context);
      const id = requireId(request);
      const document = await readDocument(request, {
        bytesMax: CONFIGURATION_BYTES_MAX,
        integrity: 'checked',
      });
      if (document.byteLength === 0) throw new S3Error('MissingRequestBodyError');
      const parsed = requireRoot(parseXml(document), root);
      requireShape(parsed, kind.shape);
      const documentId = childText(parsed, 'Id') ?? '';
      if (documentId !== id) {
        throw invalidArgument('The id of the request and of its document differ', 'Id', documentId);
      }
      kind.check?.(parsed);
      const name = `${kind.prefix}/${id}`;
      const isNew = bucket.configurations[name] === undefined;
      if (isNew && idsOf(bucket, kind).length >= CONFIGURATIONS_MAX) {
        throw new S3Error('TooManyConfigurations');
      }
      await changeDocument(bucket, name, JSON.stringify(parsed), context);
      return { status: 200 };
    },
  };
}

export function deleteNumbered(kind: NumberedKind): Operation {
  return {
    name: `DeleteBucket${kind.name}Configuration`,
    body: 'none',
    async handle(request, context) {
      const bucket = await requireBucket(request, context);
      const id = requireId(request);
      requireStored(bucket, kind, id);
      await changeDocument(bucket, `${kind.prefix}/${id}`, null, context);
      return { status: 204 };
    },
  };
}

export function listNumbered(kind: NumberedKind): Operation {
  const name = `ListBucket${kind.name}Configurations`;
  return {
    name,
    body: 'none',
    async handle(request, context) {
      const bucket = await requireBucket(request, context);
      const token = request.query.get('continuation-token') ?? '';
      const after = token === '' ? '' : decodeToken(token).key;
      const ids = idsOf(bucket, kind).filter((id) => id > after);
      const page = ids.slice(0, PAGE_LENGTH);
      const last = ids.length > page.length ? page.at(-1) : undefined;
      const document = xmlDocument(kind.listRoot, [
        optionalElement('ContinuationToken', token === '' ? null : token),
        ...page.map((id) => {
          const stored = requireStored(bucket, kind, id);
          const { children } = JSON.parse(stored) as XmlElement;
          return element(`${kind.name}Configuration`, children.map(renderElement));
        }),
        textElement('IsTruncated', last !== undefined),
        last === undefined
          ? null
          : textElement('NextContinuationToken', encodeToken({ key: last, isPrefix: false })),
      ]);
      return xmlResponse(document);
    },
  };
}

function idsOf({ configurations }: BucketRecord, { prefix }: NumberedKind): readonly string[] {
  return Object.keys(configurations)
    .filter((name) => name.startsWith(`${prefix}/`))
    .map((name) => name.slice(prefix.length + 1))
    .sort();
}
