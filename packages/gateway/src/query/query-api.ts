import { createHash } from 'node:crypto';

import type { Logger } from '@azimuth/common';
import { AssertionError } from '@azimuth/common';

import type { Authenticator } from '../auth/authenticate';
import type { RequestFacts } from '../auth/authorize';
import type { Principal } from '../auth/principal';
import { parseSignature } from '../auth/signed-request';
import type { ByteSource } from '../data-path/byte-source';
import type { RequestHead } from '../http/request-head';
import type { S3Response } from '../http/response';
import { queryDocument, queryErrorDocument } from './query-document';
import { QueryError, toQueryError } from './query-error';
import { QueryParameters } from './query-parameters';
import type { QueryService } from './query-service';

/**
 * The largest requests that make sense are a role's policies, every character escaped, and web
 * identity tokens. They are read before anybody is known to have sent them.
 */
const BODY_BYTES_MAX = 128 * 1024;

export interface QueryRequest {
  readonly requestId: string;
  readonly head: RequestHead;
  readonly body: ByteSource;
  readonly facts: RequestFacts;
  readonly signal: AbortSignal;
  /** Told once it is known, for metrics and logs. */
  readonly onAction: (name: string) => void;
}

export interface QueryApiOptions {
  readonly authenticator: Authenticator;
  readonly services: readonly QueryService[];
  readonly logger: Logger;
}

/**
 * True for requests of the query protocol (IAM, STS) rather than of S3: a form for the root of the
 * endpoint, or its parameters in a URL.
 */
export function isQueryRequest({ method, bucket, rawPath, query, headers }: RequestHead): boolean {
  if (bucket !== null || rawPath !== '/') return false;
  // WriteGetObjectResponse is for the root too, and of S3.
  if (headers.has('x-amz-request-route')) return false;
  return method === 'POST' || (method === 'GET' && query.has('Action'));
}

/**
 * The services of the query protocol: the body is read, the signature over it verified, and the
 * answer or the refusal rendered as clients of IAM and STS expect it.
 */
export class QueryApi {
  readonly #options: QueryApiOptions;

  constructor(options: QueryApiOptions) {
    this.#options = options;
  }

  /** Never rejects but for a broken invariant. */
  async serve(request: QueryRequest): Promise<S3Response> {
    let service: QueryService | null = null;
    try {
      const form = await readForm(request);
      const parameters = QueryParameters.parse(form.text);
      service = this.#serviceOf(request.head, parameters);
      const action = parameters.required('Action');
      if (!service.has(action)) {
        const version = parameters.optional('Version') ?? service.version;
        const message = `Could not find operation ${action} for version ${version}`;
        throw new QueryError('InvalidAction', message);
      }
      request.onAction(action);
      const caller = this.#authenticate(request, service, action, form.sha256Hex);
      const { facts, signal } = request;
      const result = await service.call({ action, parameters, caller, facts, signal });
      const document = queryDocument(action, service.namespace, result, request.requestId);
      return { status: 200, headers: TEXT_XML, body: { kind: 'xml', document } };
    } catch (error) {
      if (error instanceof AssertionError) throw error;
      return this.#refusal(toQueryError(error), service, request);
    }
  }

  /** By the version that clients send, which the two services do not share; else by the scope. */
  #serviceOf(head: RequestHead, parameters: QueryParameters): QueryService {
    const { services } = this.#options;
    const version = parameters.optional('Version');
    const found =
      version === null
        ? services.find(({ name }) => name === scopeServiceOf(head))
        : services.find((each) => each.version === version);
    if (found !== undefined) return found;
    throw new QueryError('InvalidAction', `Could not find a service for version ${version ?? ''}`);
  }

  #authenticate(
    { head, facts }: QueryRequest,
    service: QueryService,
    action: string,
    bodySha256Hex: string,
  ): Principal | null {
    const { authenticator } = this.#options;
    const caller = authenticator.authenticateQuery(head, bodySha256Hex, service.name, facts.nowMs);
    if (caller === null && !service.isUnsigned(action)) {
      throw new QueryError('MissingAuthenticationToken');
    }
    return caller;
  }

  #refusal(error: QueryError, service: QueryService | null, request: QueryRequest): S3Response {
    const { requestId, signal } = request;
    if (error.status >= 500 && !signal.aborted) {
      const fields = { requestId, code: error.code, error: error.cause ?? error };
      if (error.code === 'ServiceFailure') this.#options.logger.error(fields, 'request failed');
      else this.#options.logger.warn(fields, 'request failed');
    }
    const namespace = service?.namespace ?? this.#options.services[0]?.namespace ?? '';
    const document = queryErrorDocument(error, namespace, requestId);
    const headers = error.status === 503 ? { ...TEXT_XML, 'retry-after': '1' } : TEXT_XML;
    return { status: error.status, headers, body: { kind: 'xml', document } };
  }
}

const TEXT_XML = { 'content-type': 'text/xml' };

/** What a signature says of itself; verified only afterwards, against the service found by it. */
function scopeServiceOf(head: RequestHead): string | null {
  const signature = parseSignature(head);
  return signature.kind === 'v4' ? signature.signed.scope.service : null;
}

interface Form {
  readonly text: string;
  readonly sha256Hex: string;
}

/** The parameters of a POST are in its body, those of a GET in its query. */
async function readForm({ head, body }: QueryRequest): Promise<Form> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  await body.readInto((chunk) => {
    sizeBytes += chunk.length;
    if (sizeBytes > BODY_BYTES_MAX) throw new QueryError('RequestEntityTooLarge');
    chunks.push(Buffer.from(chunk));
    return undefined;
  });
  const bytes = Buffer.concat(chunks);
  const sha256Hex = createHash('sha256').update(bytes).digest('hex');
  if (head.method === 'GET') {
    const own = head.rawQuery.filter(({ name }) => !name.toLowerCase().startsWith('x-amz-'));
    return { text: own.map(({ name, value }) => `${name}=${value}`).join('&'), sha256Hex };
  }
  return { text: bytes.toString('utf8'), sha256Hex };
}
