import type { SignedPolicy, SignedPolicyV2 } from '../auth/signed-policy';
import type { RequestAccess } from '../auth/authorize';
import type { Principal } from '../auth/principal';
import type { ByteSource } from '../data-path/byte-source';

/** Header names lower-case; several values of one name joined by `,` as RFC 9110 says. */
export type Headers = ReadonlyMap<string, string>;

/** Decoded query parameters; a parameter without `=` has the value ''. The first of a name counts. */
export type Query = ReadonlyMap<string, string>;

/** A request after parsing, authentication and authorization. No `req` or `res` beyond `http/`. */
export interface S3Request {
  readonly requestId: string;
  readonly method: string;
  /** Null only for ListBuckets. */
  readonly bucket: string | null;
  /** Exact key, percent-decoded once; null for bucket operations. */
  readonly key: string | null;
  readonly query: Query;
  readonly headers: Headers;
  /** Whoever asks; the signature was verified. */
  readonly principal: Principal;
  /** What whoever asks may do; the action of the operation itself was allowed already. */
  readonly access: RequestAccess;
  /** Who sent a POST form, which is signed inside the body and not by the request. */
  readonly authenticateForm: (form: SignedForm) => FormSender;
  /** Address of the client: the socket's peer, or what a trusted proxy says. */
  readonly sourceIp: string;
  readonly isSecure: boolean;
  /** `http://host:port`, as the client addressed us. */
  readonly origin: string;
  readonly body: RequestBody;
  /** Aborts when the client goes away or the server drains. */
  readonly signal: AbortSignal;
}

export interface SignedForm {
  /** Null for a form without a policy, which is anonymous. */
  readonly signed: SignedPolicy | SignedPolicyV2 | null;
  /** The fields that stand for headers, for conditions on them. */
  readonly headers: Headers;
}

export interface FormSender {
  readonly principal: Principal;
  readonly access: RequestAccess;
}

export interface RequestBody {
  /** Decoded length (x-amz-decoded-content-length for aws-chunked); null when the client sent none. */
  readonly sizeBytes: number | null;
  /**
   * The decoded bytes. Everything the signature covers is verified by the time `readInto` resolves:
   * chunk signatures, payload hash, trailer signature; it rejects otherwise.
   */
  readonly source: ByteSource;
  /** Trailing headers (`x-amz-checksum-…`); complete once `source` was read. */
  trailers(): Headers;
  /** Names announced by `x-amz-trailer`. */
  readonly announcedTrailers: readonly string[];
}
