import type { BucketRecord } from '@azimuth/proto';

import type { S3Request } from '../../http/request';
import { requireBucket } from '../bucket-access';
import type { BucketConfigurationName, BucketConfigurations } from '../bucket-configuration';
import { bucketConfiguration } from '../bucket-configuration';
import type { Operation, OperationContext } from '../operation';
import type { DocumentOptions } from '../request-document';
import { readDocument } from '../request-document';
import type { S3ErrorCode } from '../s3-error';
import { S3Error } from '../s3-error';
import { changeConfiguration } from './bucket-change';

/** Of a configuration as a client sends it. */
export const CONFIGURATION_BYTES_MAX = 64 * 1024;

interface Named<Name extends BucketConfigurationName> {
  /** The exact API name. */
  readonly name: string;
  readonly configuration: Name;
}

/** GET of a configuration; `render` is asked with null only where its absence is no error. */
export function getOperation<Name extends BucketConfigurationName>(
  spec: Named<Name> & {
    readonly render: (value: BucketConfigurations[Name]) => string;
    readonly absent: S3ErrorCode | (() => string);
  },
): Operation {
  const { name, configuration, render, absent } = spec;
  return {
    name,
    body: 'none',
    async handle(request, context) {
      const bucket = await requireBucket(request, context);
      const value = bucketConfiguration(bucket, configuration);
      if (value !== null) return xmlResponse(render(value));
      if (typeof absent === 'function') return xmlResponse(absent());
      throw new S3Error(absent, { BucketName: bucket.name });
    },
  };
}

/** PUT of a configuration. */
export function putOperation<Name extends BucketConfigurationName>(
  spec: Named<Name> & {
    readonly documentBytesMax?: number;
    readonly integrity: DocumentOptions['integrity'];
    /** Throws what the client is to be told of a document that is not acceptable. */
    readonly parse: (
      document: Buffer,
      bucket: BucketRecord,
      request: S3Request,
      context: OperationContext,
    ) => BucketConfigurations[Name] | null;
  },
): Operation {
  const { name, configuration, integrity, parse } = spec;
  const bytesMax = spec.documentBytesMax ?? CONFIGURATION_BYTES_MAX;
  return {
    name,
    body: 'document',
    documentBytesMax: bytesMax,
    async handle(request, context) {
      const bucket = await requireBucket(request, context);
      const document = await readDocument(request, { bytesMax, integrity });
      if (document.byteLength === 0) throw new S3Error('MissingRequestBodyError');
      const value = parse(document, bucket, request, context);
      await changeConfiguration(bucket, configuration, value, context);
      return { status: 200 };
    },
  };
}

/** DELETE of a configuration, which succeeds also when there is none. */
export function deleteOperation<Name extends BucketConfigurationName>(
  spec: Named<Name>,
): Operation {
  const { name, configuration } = spec;
  return {
    name,
    body: 'none',
    async handle(request, context) {
      const bucket = await requireBucket(request, context);
      await changeConfiguration(bucket, configuration, null, context);
      return { status: 204 };
    },
  };
}

export function xmlResponse(document: string): {
  readonly status: 200;
  readonly body: { readonly kind: 'xml'; readonly document: string };
} {
  return { status: 200, body: { kind: 'xml', document } };
}
