import type { RequestFacts } from '../auth/authorize';
import type { Principal } from '../auth/principal';
import type { XmlFragment } from '../http/xml/xml-writer';
import type { QueryParameters } from './query-parameters';

/** An authenticated call of IAM or STS. */
export interface QueryCall {
  readonly action: string;
  readonly parameters: QueryParameters;
  /** Null when the request is not signed: only for what proves its sender otherwise. */
  readonly caller: Principal | null;
  readonly facts: RequestFacts;
  readonly signal: AbortSignal;
}

/** A service of the query protocol behind the endpoint of S3. */
export interface QueryService {
  /** In the credential scope of a signature: `iam`. */
  readonly name: string;
  /** `2010-05-08` */
  readonly version: string;
  readonly namespace: string;
  has(action: string): boolean;
  /** Actions that are not signed, because a token in them says who asks. */
  isUnsigned(action: string): boolean;
  /**
   * The children of the result, null for none.
   *
   * @throws QueryError, S3Error, StoreError
   */
  call(call: QueryCall): Promise<readonly (XmlFragment | null)[] | null>;
}
