import type { IncomingMessage, ServerResponse } from 'node:http';

import { assert, required, StoreError } from '@azimuth/common';

import { accessOf } from '../auth/authorize';
import { ANONYMOUS } from '../auth/principal';
import { bucketConfiguration } from '../s3/bucket-configuration';
import { answerPreflight, crossOriginHeaders } from '../s3/cors/cross-origin';
import type { Operation } from '../s3/operation';
import { isRefused } from '../s3/operations';
import { S3Error, toS3Error } from '../s3/s3-error';
import type { WebsiteObjects } from '../s3/website/website';
import { answerWebsite, pageOf, requireWebsite } from '../s3/website/website';
import { clientFacts } from './client-facts';
import { decodePercent } from './percent-encoding';
import type { PipelineOptions } from './pipeline';
import type { Headers, S3Request } from './request';
import { concealMissing, requireOperationAccess } from './request-access';
import type { RequestHead } from './request-head';
import { bucketOfHost, parseHeaders } from './request-head';
import type { S3Response } from './response';
import { writeResponse } from './response-writer';

export type WebsiteEndpointOptions = Pick<
  PipelineOptions,
  | 'operations'
  | 'context'
  | 'authorizer'
  | 'trustedProxies'
  | 'domains'
  | 'hostId'
  | 'requestIds'
  | 'requestsInFlightMax'
  | 'slowReaders'
  | 'clock'
  | 'logger'
  | 'metrics'
>;

/** All that a reader's request can say of how it wants an object. */
const PASSED_HEADERS: ReadonlySet<string> = new Set([
  'if-match',
  'if-modified-since',
  'if-none-match',
  'if-unmodified-since',
  'range',
]);
const NO_HEADERS: Headers = new Map();

/** One request on its way. */
interface Visit {
  readonly request: IncomingMessage;
  readonly requestId: string;
  readonly signal: AbortSignal;
  /** Null until it was parsed. */
  head: RequestHead | null;
}

/** What the path names, below its bucket. */
interface Address {
  readonly bucket: string;
  readonly basePath: string;
  readonly key: string;
}

/**
 * Serves buckets as websites: anonymous readers, GET and HEAD, pages instead of documents.
 * Who may read what is decided by the same authorizer as everywhere else.
 */
export class WebsiteEndpoint {
  readonly #options: WebsiteEndpointOptions;
  readonly #visits = new Set<AbortController>();

  constructor(options: WebsiteEndpointOptions) {
    this.#options = options;
  }

  /** Makes every request in flight give up. */
  abortAll(): void {
    for (const visit of this.#visits) {
      visit.abort(new StoreError('UNAVAILABLE', { reason: 'this gateway is stopping' }));
    }
  }

  /** Serves one request; never rejects. */
  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { clock, metrics, requestIds, logger } = this.#options;
    const startedMs = clock.monotonicMs();
    const abort = new AbortController();
    const requestId = requestIds.next();
    const visit: Visit = { request, requestId, signal: abort.signal, head: null };
    request.on('error', ignore);
    response.on('error', ignore);
    response.on('close', () => {
      if (!response.writableFinished) abort.abort(new StoreError('CANCELLED'));
    });
    this.#visits.add(abort);
    let sentBytes = 0;
    try {
      sentBytes = await this.#answer(visit, response);
      response.end();
    } catch (error) {
      // Headers are out: the only way left to say that the answer is not whole.
      response.destroy();
      logger.debug({ requestId, error }, 'website request cut off');
    } finally {
      this.#visits.delete(abort);
      const status = response.writableEnded && !response.destroyed ? response.statusCode : 0;
      const durationMs = clock.monotonicMs() - startedMs;
      const operation = 'Website';
      metrics.record({ operation, status, durationMs, receivedBytes: 0, sentBytes });
      logger.debug({ requestId, operation, status, durationMs, sentBytes }, 'request served');
    }
  }

  async #answer(visit: Visit, response: ServerResponse): Promise<number> {
    const { hostId, logger } = this.#options;
    const { requestId } = visit;
    try {
      return await this.#write(visit, response, await this.#handle(visit));
    } catch (thrown) {
      if (response.headersSent) throw thrown;
      const error = toS3Error(thrown);
      if (error.status >= 500) logger.warn({ requestId, error: thrown }, 'website request failed');
      const page = pageOf(error, { requestId, hostId, customError: null });
      return this.#write(visit, response, page);
    }
  }

  async #handle(visit: Visit): Promise<S3Response> {
    const { context, domains, hostId, requestsInFlightMax } = this.#options;
    if (this.#visits.size > requestsInFlightMax) throw new S3Error('SlowDown');
    const { request, requestId, signal } = visit;
    const { method = '', url = '', rawHeaders } = request;
    const headers = parseHeaders(rawHeaders);
    const address = await this.#address(url, headers, domains);
    const { bucket: bucketName, basePath, key } = address;
    visit.head = headOf(method, address, key, headers);
    if (method === 'OPTIONS') return answerPreflight(visit.head, context.view);
    if (method !== 'GET' && method !== 'HEAD') {
      const allow = { allow: 'GET, HEAD, OPTIONS' };
      throw new S3Error('MethodNotAllowed', { Method: method }, { headers: allow });
    }
    const bucket = await context.view.bucket(bucketName, signal);
    if (bucket === null) throw new S3Error('NoSuchBucket', { BucketName: bucketName });
    const website = requireWebsite(bucketConfiguration(bucket, 'website'), bucketName);
    const { isSecure } = clientFacts(request, headers, this.#options.trustedProxies);
    const scheme = isSecure ? 'https' : 'http';
    const at = { scheme, host: headers.get('host') ?? '', basePath, key } as const;
    const objects = this.#objects(visit, address, headers);
    return answerWebsite(website, at, objects, { requestId, hostId });
  }

  /** A bucket is a subdomain, a whole domain of its own, or the first part of the path. */
  async #address(url: string, headers: Headers, domains: readonly string[]): Promise<Address> {
    const [rawPath = ''] = url.split('?', 1);
    if (!rawPath.startsWith('/')) throw new S3Error('InvalidURI');
    const host = headers.get('host') ?? '';
    const ofDomain = bucketOfHost(host, domains);
    const bucket = ofDomain ?? (await this.#bucketOfWholeHost(host));
    if (bucket !== null) {
      return { bucket, basePath: '/', key: decodePercent(rawPath.slice(1)) };
    }
    const slash = rawPath.indexOf('/', 1);
    const name = decodePercent(rawPath.slice(1, slash < 0 ? undefined : slash));
    if (name === '') throw new S3Error('NoSuchBucket');
    const key = slash < 0 ? '' : decodePercent(rawPath.slice(slash + 1));
    return { bucket: name, basePath: `/${name}/`, key };
  }

  async #bucketOfWholeHost(host: string): Promise<string | null> {
    const name = host.replace(/:\d+$/, '').toLowerCase();
    if (!name.includes('.') || /^[\d.]+$/.test(name)) return null;
    return (await this.#options.context.view.bucket(name)) === null ? null : name;
  }

  #objects(visit: Visit, address: Address, headers: Headers): WebsiteObjects {
    const passed = new Map([...headers].filter(([name]) => PASSED_HEADERS.has(name)));
    const getObject = this.#operation('GetObject');
    const headObject = this.#operation('HeadObject');
    const read = visit.request.method === 'HEAD' ? headObject : getObject;
    const run = (operation: Operation, key: string, sent: Headers): Promise<S3Response> =>
      this.#run(operation, visit, { ...address, key }, sent);
    return {
      head: (key) => run(headObject, key, NO_HEADERS),
      read: (key) => run(read, key, passed),
      readWhole: (key) => run(read, key, NO_HEADERS),
    };
  }

  /** Reads as anybody, with the permissions that anybody has. */
  async #run(
    operation: Operation,
    { request, requestId, signal }: Visit,
    address: Address,
    sent: Headers,
  ): Promise<S3Response> {
    const { context, authorizer, clock, trustedProxies } = this.#options;
    const { bucket, key } = address;
    const received = parseHeaders(request.rawHeaders);
    const client = clientFacts(request, received, trustedProxies);
    const head = headOf(request.method ?? '', address, key, sent);
    const { query } = head;
    const facts = { ...client, nowMs: clock.wallMs(), headers: received, query, signature: null };
    const access = accessOf(authorizer, ANONYMOUS, facts);
    const attempt = { operation: operation.name, head, principal: ANONYMOUS, facts, signal };
    await requireOperationAccess(attempt, authorizer, context);
    const s3Request: S3Request = {
      requestId,
      method: head.method,
      bucket,
      key,
      query,
      headers: sent,
      principal: ANONYMOUS,
      access,
      authenticateForm: () => {
        throw new S3Error('MethodNotAllowed');
      },
      sourceIp: client.sourceIp,
      isSecure: client.isSecure,
      origin: '',
      body: {
        sizeBytes: 0,
        source: { readInto: () => Promise.resolve() },
        trailers: () => NO_HEADERS,
        announcedTrailers: [],
      },
      signal,
    };
    try {
      return await operation.handle(s3Request, context);
    } catch (error) {
      throw await concealMissing(error, attempt, access, context);
    }
  }

  #operation(name: string): Operation {
    const operation = required(this.#options.operations.get(name), name);
    assert(!isRefused(operation), `${name} is implemented`);
    return operation;
  }

  async #write(
    { request, requestId, head, signal }: Visit,
    response: ServerResponse,
    answer: S3Response,
  ): Promise<number> {
    const { hostId, clock, context, slowReaders } = this.#options;
    const baseHeaders: Record<string, string> = {
      'x-amz-request-id': requestId,
      'x-amz-id-2': hostId,
      server: 'Azimuth',
      ...(head === null ? {} : await crossOriginHeaders(head, context.view, signal)),
    };
    // A body that nobody reads must not be taken for the next request.
    if (!request.complete) baseHeaders['connection'] = 'close';
    const isHead = request.method === 'HEAD';
    return writeResponse(response, answer, { isHead, baseHeaders, clock, slowReaders });
  }
}

function headOf(method: string, { bucket }: Address, key: string, headers: Headers): RequestHead {
  return {
    method,
    rawPath: '',
    rawQuery: [],
    query: new Map(),
    headers,
    bucket,
    key: key === '' ? null : key,
    isControl: false,
  };
}

function ignore(): void {
  // The 'close' event that follows is what is acted upon.
}
