import type { ClusterView, MetadataClient } from '@azimuth/clients';
import type { Clock, Random } from '@azimuth/common';

import type { AccountDirectory } from '../auth/accounts';
import type { DataPath } from '../data-path/data-path';
import type { S3Request } from '../http/request';
import type { S3Response } from '../http/response';

/** What operations work with; everything else is in the request. */
export interface OperationContext {
  readonly metadata: MetadataClient;
  readonly view: ClusterView;
  readonly dataPath: DataPath;
  readonly clock: Clock;
  readonly random: Random;
  readonly region: string;
  readonly accounts: AccountDirectory;
}

/**
 * One S3 operation: how to read the body, how to answer. Parsing, authentication, authorization
 * (what each needs is in `auth/operation-access.ts`), rendering of errors, metrics and logs happen
 * once, in `http/pipeline.ts`.
 */
export interface Operation {
  /** The exact API name. */
  readonly name: string;
  /**
   * `none`: a body is read and ignored up to a small limit · `document`: at most
   * `documentBytesMax` bytes, read whole by the handler · `stream`: object bytes.
   */
  readonly body: 'none' | 'document' | 'stream';
  readonly documentBytesMax?: number;
  /** What of the API this covers, when that is not all of it: for docs/s3-compatibility.md. */
  readonly limitation?: string;
  handle(request: S3Request, context: OperationContext): Promise<S3Response>;
}
