import type { ClusterView, MetadataClient, StorageClient } from '@azimuth/clients';
import { silentLogger, StoreError } from '@azimuth/common';
import type { Clock, Random } from '@azimuth/common';
import type { Codec } from '@azimuth/erasure';
import { isRefused, OPERATIONS } from '@azimuth/gateway';

import { accountDirectory } from '../../../packages/gateway/src/auth/accounts';
import { ANONYMOUS, rootOfAccount } from '../../../packages/gateway/src/auth/principal';
import { createDataPath } from '../../../packages/gateway/src/data-path/erasure-data-path';
import type { ErasureDataPath } from '../../../packages/gateway/src/data-path/erasure-data-path';
import type { S3Request } from '../../../packages/gateway/src/http/request';
import type { OperationContext } from '../../../packages/gateway/src/s3/operation';
import { S3Error } from '../../../packages/gateway/src/s3/s3-error';

const OWNER = rootOfAccount({
  accountId: '000000000001',
  canonicalId: '1'.repeat(64),
  displayName: 'owner',
});
const PIECE_BYTES = 40_000;

export interface LocalGatewayOptions {
  readonly metadata: MetadataClient;
  readonly storage: StorageClient;
  readonly view: ClusterView;
  readonly codec: Codec;
  readonly clock: Clock;
  readonly random: Random;
}

export interface GatewayCall {
  readonly bucket: string;
  readonly key: string | null;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
}

export interface GatewayAnswer {
  readonly status: number;
  readonly bytes: Buffer;
}

/** The S3 operations over the real data path, without HTTP. */
export class LocalGateway {
  readonly dataPath: ErasureDataPath;
  readonly #context: OperationContext;

  constructor(options: LocalGatewayOptions) {
    const { metadata, view, clock, random } = options;
    this.dataPath = createDataPath({ ...options, logger: silentLogger, zone: 'a' });
    this.#context = {
      ...{ metadata, view, clock, random, dataPath: this.dataPath, region: 'here' },
      accounts: accountDirectory(view, OWNER),
    };
  }

  /** Status 0 when nobody can say what became of the request; a bug is thrown. */
  async send(name: string, call: GatewayCall): Promise<GatewayAnswer> {
    const operation = OPERATIONS.get(name);
    if (operation === undefined || isRefused(operation)) throw new Error(`no operation ${name}`);
    try {
      const { status, body } = await operation.handle(requestOf(call), this.#context);
      if (body === undefined) return { status, bytes: Buffer.alloc(0) };
      if (body.kind !== 'bytes') {
        return { status, bytes: Buffer.from(body.kind === 'xml' ? body.document : body.text) };
      }
      const chunks: Buffer[] = [];
      await body.write((chunk) => void chunks.push(Buffer.from(chunk)));
      return { status, bytes: Buffer.concat(chunks) };
    } catch (error) {
      if (error instanceof S3Error) return { status: error.status, bytes: Buffer.alloc(0) };
      if (error instanceof StoreError) return { status: 0, bytes: Buffer.alloc(0) };
      throw error;
    }
  }
}

function requestOf({ bucket, key, query = {}, body = Buffer.alloc(0) }: GatewayCall): S3Request {
  const access = { require: () => Promise.resolve(), isAllowed: () => Promise.resolve(true) };
  return {
    ...{ requestId: 'R', method: 'ANY', bucket, key, headers: new Map(), principal: OWNER },
    ...{ access, sourceIp: '127.0.0.1', isSecure: false, origin: 'http://localhost' },
    query: new Map(Object.entries(query)),
    authenticateForm: () => ({ principal: ANONYMOUS, access }),
    body: {
      sizeBytes: body.byteLength,
      source: {
        async readInto(sink) {
          for (let at = 0; at < body.byteLength; at += PIECE_BYTES) {
            await sink(body.subarray(at, at + PIECE_BYTES));
          }
        },
      },
      trailers: () => new Map(),
      announcedTrailers: [],
    },
    signal: new AbortController().signal,
  };
}
