import type { ByteSink } from '../data-path/byte-source';

/** What an operation answers. `x-amz-request-id`, `x-amz-id-2`, `date`, `server` are added outside. */
export interface S3Response {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: ResponseBody;
}

export type ResponseBody =
  /** A complete XML document, sent as application/xml. */
  | { readonly kind: 'xml'; readonly document: string }
  /** A short text of another kind: a policy in JSON, a page in HTML. */
  | { readonly kind: 'text'; readonly contentType: string; readonly text: string }
  /** `sizeBytes` bytes pushed by `write`. HEAD responses state the length and push nothing. */
  | {
      readonly kind: 'bytes';
      readonly sizeBytes: number;
      readonly write: (sink: ByteSink) => Promise<void>;
    };
