import type { IncomingMessage, ServerResponse } from 'node:http';

import type { LeaderWatch } from '@azimuth/clients';
import { CUT_OFF_AGE_MS } from '@azimuth/clients';
import type { Clock, Logger } from '@azimuth/common';
import { AssertionError, StoreError } from '@azimuth/common';

import type { Authenticator } from '../auth/authenticate';
import type { Authorizer, RequestFacts, SignatureFacts } from '../auth/authorize';
import { accessOf } from '../auth/authorize';
import type { IpRange } from '../auth/policy/ip-range';
import type { Principal } from '../auth/principal';
import { ANONYMOUS } from '../auth/principal';
import { parseTimestamp } from '../auth/sigv4';
import { chargedHeaders } from '../s3/bucket-access';
import { answerPreflight, crossOriginHeaders } from '../s3/cors/cross-origin';
import type { QueryApi } from '../query/query-api';
import { isQueryRequest } from '../query/query-api';
import type { Operation, OperationContext } from '../s3/operation';
import type { RefusedOperation } from '../s3/operations';
import { isRefused } from '../s3/operations';
import { S3Error, toS3Error } from '../s3/s3-error';
import { clientFacts } from './client-facts';
import { bodyStreamOf } from './http-connection';
import type { MinimumProgress } from './incoming-body';
import { IncomingBody } from './incoming-body';
import type { FormSender, RequestBody, S3Request, SignedForm } from './request';
import { concealMissing, requireOperationAccess } from './request-access';
import { limitedSource, openRequestBody } from './request-body';
import type { RequestHead } from './request-head';
import { parseRequestHead } from './request-head';
import type { RequestIds } from './request-id';
import type { RequestMetrics } from './request-metrics';
import type { S3Response } from './response';
import { writeResponse } from './response-writer';
import { routeRequest } from './router';
import type { SlowReaders } from './slow-readers';
import { formatPositions, witnessedMetadata } from './witnessed-metadata';
import type { LogPosition } from './witnessed-metadata';
import { errorDocument } from './xml/error-document';

/** A body where none belongs is read, verified and forgotten up to this. */
const IGNORED_BODY_BYTES_MAX = 64 * 1024;
const DOCUMENT_BYTES_MAX = 1024 * 1024;
/** What of a body is still read after its request was refused, to keep the connection. */
const DISCARDED_BODY_BYTES_MAX = 256 * 1024;
/** And what more is read before the connection is closed, so that the client sees the answer. */
const LINGER_BODY_BYTES_MAX = 16 * 1024 * 1024;
const WARNINGS_PER_SECOND_MAX = 10;
/** A linearizable read takes milliseconds; after this it waits for a leader. */
const STUCK_READ_MS = 1_000;
const STUCK_WRITE_MS = 4_000;

export interface PipelineOptions {
  readonly operations: ReadonlyMap<string, Operation | RefusedOperation>;
  readonly context: OperationContext;
  readonly leaders: Pick<LeaderWatch, 'silentMs'>;
  readonly authenticator: Authenticator;
  readonly authorizer: Authorizer;
  /** IAM and STS. */
  readonly queryApi: QueryApi;
  /** Domains under which buckets are subdomains. */
  readonly domains: readonly string[];
  /** Peers whose word on where a request comes from is taken. */
  readonly trustedProxies: readonly IpRange[];
  /** `x-amz-id-2`: names this gateway, says nothing else. */
  readonly hostId: string;
  readonly requestIds: RequestIds;
  readonly requestsInFlightMax: number;
  readonly minimumProgress: MinimumProgress;
  readonly slowReaders: SlowReaders;
  /** Answers carry `x-azimuth-log-positions`, for checks of histories. */
  readonly tellsLogPositions: boolean;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: RequestMetrics;
}

/** One request on its way through the stages. */
interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly requestId: string;
  readonly body: IncomingBody;
  readonly expectsContinue: boolean;
  readonly abort: AbortController;
  /** Of the body, as it was looked at last; the start of the request is progress too. */
  progressMs: number;
  progressBytes: number;
  operation: string;
  head: RequestHead | null;
  /** Null unless answers say where in the logs they hold. */
  readonly positions: LogPosition[] | null;
}

/**
 * What happens to every request, once and in this order: id → parse → authenticate → authorize →
 * handle → render → log. Operations see none of it.
 */
export class Pipeline {
  readonly #options: PipelineOptions;
  readonly #baseHeaders: Readonly<Record<string, string>>;
  readonly #inFlight = new Set<Exchange>();
  readonly #aborts = new WeakMap<object, AbortController>();
  #warningSecond = 0;
  #warningCount = 0;

  constructor(options: PipelineOptions) {
    this.#options = options;
    this.#baseHeaders = { 'x-amz-id-2': options.hostId, server: 'Azimuth' };
  }

  get requestsInFlight(): number {
    return this.#inFlight.size;
  }

  /**
   * True while this gateway does not reach the leader of `root`, or another leader that somebody
   * reaches: what it is asked for is better asked of another one.
   */
  get isCutOff(): boolean {
    return this.#options.context.view.ageMs() > CUT_OFF_AGE_MS || this.#isLeaderSilent;
  }

  get #isLeaderSilent(): boolean {
    return this.#options.leaders.silentMs() > CUT_OFF_AGE_MS;
  }

  /** Makes every request in flight give up: its signal aborts, its client is told to try elsewhere. */
  abortAll(): void {
    for (const exchange of this.#inFlight) {
      exchange.abort.abort(new StoreError('UNAVAILABLE', { reason: 'this gateway is stopping' }));
    }
  }

  /**
   * Ends requests that wait while this gateway is cut off from the metadata: their clients find
   * another one. Writes may wait longer, as nobody is told whether they took effect; an upload
   * whose bytes come does not wait, and outlives the election of a leader.
   */
  endStuckRequests(): void {
    if (!this.isCutOff) return;
    const nowMs = this.#options.clock.monotonicMs();
    for (const exchange of this.#inFlight) {
      const { request, response, abort, body } = exchange;
      if (body.receivedBytes !== exchange.progressBytes) {
        exchange.progressBytes = body.receivedBytes;
        exchange.progressMs = nowMs;
      }
      const isRead = request.method === 'GET' || request.method === 'HEAD';
      const patienceMs = isRead ? STUCK_READ_MS : STUCK_WRITE_MS;
      const isStuck = nowMs - exchange.progressMs > patienceMs && !response.headersSent;
      if (isStuck) abort.abort(new StoreError('UNAVAILABLE', { reason: 'cut off' }));
    }
  }

  /** Serves one request; never rejects. */
  async serve(
    request: IncomingMessage,
    response: ServerResponse,
    expectsContinue: boolean,
  ): Promise<void> {
    const { clock, metrics, requestIds, minimumProgress } = this.#options;
    const startedMs = clock.monotonicMs();
    const abort = this.#abortOf(request.socket);
    const body = new IncomingBody(bodyStreamOf(request, response), clock, minimumProgress, () => {
      if (expectsContinue) response.writeContinue();
    });
    const requestId = requestIds.next();
    const exchange: Exchange = {
      request,
      response,
      requestId,
      body,
      expectsContinue,
      abort,
      progressMs: startedMs,
      progressBytes: 0,
      operation: 'Unknown',
      head: null,
      positions: this.#options.tellsLogPositions ? [] : null,
    };
    // A connection reset is an event of every day; without listeners it would end the process.
    request.on('error', ignore);
    response.on('error', ignore);
    response.on('close', () => {
      if (!response.writableFinished) abort.abort(clientGone());
    });
    this.#inFlight.add(exchange);
    metrics.setInFlight(this.#inFlight.size);
    let sentBytes = 0;
    try {
      sentBytes = await this.#answer(exchange);
      await this.#finish(exchange);
    } catch (error) {
      // Headers are out: the only way left to say that the answer is not whole.
      response.destroy();
      this.#logFailure(exchange, toS3Error(error));
    } finally {
      this.#inFlight.delete(exchange);
      metrics.setInFlight(this.#inFlight.size);
      const durationMs = clock.monotonicMs() - startedMs;
      const isAnswered = response.writableEnded && !response.destroyed;
      const status = isAnswered ? response.statusCode : 0;
      const { operation } = exchange;
      const receivedBytes = body.receivedBytes;
      metrics.record({ operation, status, durationMs, receivedBytes, sentBytes });
      this.#options.logger.debug(
        { requestId, operation, status, durationMs, receivedBytes, sentBytes },
        'request served',
      );
    }
  }

  /**
   * One for all requests of a connection: what ends a request early ends its connection. Making one
   * costs as much as parsing a head.
   */
  #abortOf(connection: object): AbortController {
    const known = this.#aborts.get(connection);
    if (known !== undefined && !known.signal.aborted) return known;
    const abort = new AbortController();
    this.#aborts.set(connection, abort);
    return abort;
  }

  /** Handles and renders; a failure before the first byte is rendered too. */
  async #answer(exchange: Exchange): Promise<number> {
    try {
      const answer = await this.#handle(exchange);
      return await this.#write(exchange, answer);
    } catch (error) {
      if (exchange.response.headersSent) throw error;
      // Whoever aborted the request knows better than those who noticed.
      const { signal } = exchange.abort;
      const s3Error = toS3Error(signal.aborted ? signal.reason : error);
      if (s3Error.status >= 500) this.#logFailure(exchange, s3Error);
      if (exchange.response.destroyed) return 0;
      return this.#write(exchange, this.#errorResponse(exchange, s3Error));
    }
  }

  async #handle(exchange: Exchange): Promise<S3Response> {
    const { operations, authenticator, authorizer, domains, clock } = this.#options;
    const context = this.#contextOf(exchange);
    const { request, requestId } = exchange;
    // Before any work: under overload a refusal must cost next to nothing.
    if (this.#inFlight.size > this.#options.requestsInFlightMax) throw new S3Error('SlowDown');
    const { method = '', url = '', rawHeaders } = request;
    const head = parseRequestHead({ method, url, rawHeaders }, domains);
    exchange.head = head;
    if (method === 'OPTIONS') {
      exchange.operation = 'Preflight';
      return answerPreflight(head, context.view);
    }
    const nowMs = clock.wallMs();
    if (isQueryRequest(head)) return this.#handleQuery(exchange, head, nowMs);
    const authenticated = await authenticator.authenticate(head, nowMs);
    const operationName = routeRequest(head);
    const operation = operations.get(operationName);
    // Only names of the API become label values.
    exchange.operation = operationName;
    const { principal, signature } = authenticated;
    const { query, headers } = head;
    const { signal } = exchange.abort;
    const client = clientFacts(request, headers, this.#options.trustedProxies);
    // What is known comes first: V8 takes 3 µs for fields behind a spread, and next to nothing here.
    const facts = { nowMs, headers, query, signature, ...client };
    const attempt = { operation: operationName, head, principal, facts, signal };
    const bucket = await requireOperationAccess(attempt, authorizer, context);
    if (operation === undefined) throw notImplemented(operationName, null);
    if (isRefused(operation)) throw notImplemented(operationName, operation.reason);

    const authenticateForm = (form: SignedForm): FormSender =>
      formSender(form, { authenticator, authorizer, facts });
    const body = openRequestBody(headers, authenticated, exchange.body);
    const access = accessOf(authorizer, principal, facts);
    const s3Request: S3Request = {
      requestId,
      method,
      bucket: head.bucket,
      key: head.key,
      query,
      headers,
      principal,
      access,
      authenticateForm,
      sourceIp: client.sourceIp,
      isSecure: client.isSecure,
      origin: `${client.isSecure ? 'https' : 'http'}://${headers.get('host') ?? ''}`,
      body: await prepareBody(operation, body),
      signal,
    };
    try {
      const answer = await operation.handle(s3Request, context);
      const charged = chargedHeaders(bucket, s3Request);
      return charged === null ? answer : { ...answer, headers: { ...answer.headers, ...charged } };
    } catch (error) {
      throw await concealMissing(error, attempt, access, context);
    }
  }

  #contextOf({ positions }: Exchange): OperationContext {
    const { context } = this.#options;
    if (positions === null) return context;
    const metadata = witnessedMetadata(context.metadata, (position) => positions.push(position));
    return { ...context, metadata };
  }

  /** IAM and STS: requests for the root of the endpoint that are not of S3. */
  #handleQuery(exchange: Exchange, head: RequestHead, nowMs: number): Promise<S3Response> {
    const { request, requestId, body, abort } = exchange;
    const { query, headers } = head;
    const client = clientFacts(request, headers, this.#options.trustedProxies);
    return this.#options.queryApi.serve({
      requestId,
      head,
      body,
      facts: { nowMs, headers, query, signature: null, ...client },
      signal: abort.signal,
      onAction: (name) => {
        exchange.operation = name;
      },
    });
  }

  async #write(exchange: Exchange, answer: S3Response): Promise<number> {
    const { request, response, body, requestId, head, abort } = exchange;
    const { view } = this.#options.context;
    const baseHeaders: Record<string, string> = {
      'x-amz-request-id': requestId,
      ...this.#baseHeaders,
      ...(head?.headers.has('origin') === true
        ? await crossOriginHeaders(head, view, abort.signal)
        : {}),
    };
    const { positions } = exchange;
    if (positions !== null && positions.length > 0) {
      baseHeaders['x-azimuth-log-positions'] = formatPositions(positions);
    }
    if (this.#sendsElsewhere(answer.status) || (!body.isComplete && !canKeepConnection(exchange))) {
      baseHeaders['connection'] = 'close';
    }
    const isHead = request.method === 'HEAD';
    const { clock, slowReaders } = this.#options;
    return writeResponse(response, answer, { isHead, baseHeaders, clock, slowReaders });
  }

  /**
   * Whoever comes again shall come to another gateway. One that lost its watch serves nobody soon.
   * One that does not reach one leader of several serves some keys well: a connection that is kept
   * for those would make requests for the others wait, however long ago it was cut off.
   */
  #sendsElsewhere(status: number): boolean {
    return this.#isLeaderSilent || (status === 503 && this.isCutOff);
  }

  #errorResponse(exchange: Exchange, error: S3Error): S3Response {
    const { status, headers } = error;
    if (exchange.request.method === 'HEAD') {
      // There is no document to name the region that a client should have signed for.
      const isRegionAsked = exchange.head?.bucket != null && (status === 400 || status === 403);
      const region = { 'x-amz-bucket-region': this.#options.context.region };
      return { status, headers: isRegionAsked ? { ...headers, ...region } : headers };
    }
    if (status === 304) return { status, headers };
    const document = errorDocument(error, {
      resource: resourceOf(exchange),
      requestId: exchange.requestId,
      hostId: this.#options.hostId,
    });
    return { status, headers, body: { kind: 'xml', document } };
  }

  /** Ends the answer, after reading what is left of a refused body within limits. */
  async #finish(exchange: Exchange): Promise<void> {
    const { response, body } = exchange;
    if (!body.isComplete && !response.destroyed && !isWaitingForContinue(exchange)) {
      // The answer leaves now; only its end waits.
      response.flushHeaders();
      const isRead = await body.discard(
        canKeepConnection(exchange) ? DISCARDED_BODY_BYTES_MAX : LINGER_BODY_BYTES_MAX,
      );
      if (!isRead) {
        response.destroy();
        return;
      }
    }
    response.end();
  }

  #logFailure(exchange: Exchange, error: S3Error): void {
    const { logger } = this.#options;
    const { requestId, operation } = exchange;
    const fields = { requestId, operation, code: error.code, error: error.cause ?? error };
    if (exchange.abort.signal.aborted) {
      logger.debug(fields, 'request abandoned');
    } else if (error.code === 'InternalError') {
      logger.error(fields, 'request failed by a bug');
      if (error.cause instanceof AssertionError) rethrowUncaught(error.cause);
    } else if (this.#mayWarn()) {
      logger.warn(fields, 'request failed');
    }
  }

  /** While a zone is out every write may fail: the metrics count them all, the log shows some. */
  #mayWarn(): boolean {
    const second = Math.floor(this.#options.clock.monotonicMs() / 1000);
    if (second !== this.#warningSecond) {
      this.#warningSecond = second;
      this.#warningCount = 0;
    }
    this.#warningCount += 1;
    return this.#warningCount <= WARNINGS_PER_SECOND_MAX;
  }
}

function ignore(): void {
  // The 'close' event that follows is what is acted upon.
}

/** A broken invariant ends the process, as everywhere else; the client has its 500 by then. */
function rethrowUncaught(error: AssertionError): void {
  setImmediate(() => {
    throw error;
  });
}

function clientGone(): StoreError {
  return new StoreError('CANCELLED', { reason: 'the client closed the connection' });
}

function notImplemented(operation: string, reason: string | null): S3Error {
  const message = `This server does not implement ${operation}${reason === null ? '' : `: ${reason}`}.`;
  return new S3Error('NotImplemented', { Operation: operation }, { message });
}

/** Bounds the body by what the operation reads; one that nobody reads is verified here. */
async function prepareBody(operation: Operation, body: RequestBody): Promise<RequestBody> {
  if (operation.body === 'stream' || body.sizeBytes === 0) return body;
  const isDocument = operation.body === 'document';
  const bytesMax = isDocument
    ? (operation.documentBytesMax ?? DOCUMENT_BYTES_MAX)
    : IGNORED_BODY_BYTES_MAX;
  if (body.sizeBytes !== null && body.sizeBytes > bytesMax) {
    throw new S3Error('MaxMessageLengthExceeded', { MaxMessageLengthBytes: bytesMax });
  }
  const source = limitedSource(body.source, bytesMax);
  if (!isDocument) await source.readInto(() => undefined);
  return { ...body, source };
}

function isWaitingForContinue({ expectsContinue, body }: Exchange): boolean {
  return expectsContinue && !body.isStarted;
}

/** True when so little of the body is left that reading it is cheaper than a new connection. */
function canKeepConnection(exchange: Exchange): boolean {
  if (isWaitingForContinue(exchange)) return false;
  const contentLength = exchange.request.headers['content-length'];
  if (contentLength === undefined) return false;
  return Number(contentLength) - exchange.body.receivedBytes <= DISCARDED_BODY_BYTES_MAX;
}

function resourceOf({ head, request }: Exchange): string {
  if (head === null) return (request.url ?? '').split('?', 1)[0] ?? '';
  if (head.bucket === null) return '/';
  return head.key === null ? `/${head.bucket}` : `/${head.bucket}/${head.key}`;
}

/** Whoever signed the policy of a form; what the form holds is among the facts. */
function formSender(
  { signed, headers }: SignedForm,
  options: Pick<PipelineOptions, 'authenticator' | 'authorizer'> & { readonly facts: RequestFacts },
): FormSender {
  const { authenticator, authorizer, facts } = options;
  const { nowMs } = facts;
  let principal: Principal = ANONYMOUS;
  let signature: SignatureFacts | null = null;
  if (signed !== null) {
    const isV2 = 'accessKeyId' in signed;
    principal = isV2
      ? authenticator.authenticatePolicyV2(signed, nowMs)
      : authenticator.authenticatePolicy(signed, nowMs);
    signature = {
      version: isV2 ? 'AWS' : signed.algorithm,
      type: 'POST',
      ageMs: isV2 ? 0 : nowMs - (parseTimestamp(signed.timestamp) ?? nowMs),
      contentSha256: 'UNSIGNED-PAYLOAD',
    };
  }
  // What the request says of an object is not heeded, so no condition may be met by it.
  const ofRequest = [...facts.headers].filter(([name]) => !/^(?:x-amz|if)-/.test(name));
  const formFacts = { ...facts, headers: new Map([...ofRequest, ...headers]), signature };
  return { principal, access: accessOf(authorizer, principal, formFacts) };
}
