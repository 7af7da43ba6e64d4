import type { BucketRecord } from '@azimuth/proto';

import type { Headers } from '../../http/request';
import type { S3Response } from '../../http/response';
import { bucketConfiguration } from '../bucket-configuration';
import { S3Error } from '../s3-error';
import { corsAnswer } from './cors-match';

/** Where buckets are looked up. */
interface BucketLookup {
  bucket(name: string, signal?: AbortSignal): Promise<BucketRecord | null>;
}

/** The part of a request head that matters here. */
interface CrossOriginRequest {
  readonly method: string;
  readonly bucket: string | null;
  readonly key: string | null;
  readonly headers: Headers;
}

const METHODS: ReadonlySet<string> = new Set(['GET', 'PUT', 'POST', 'DELETE', 'HEAD']);
/** Browsers send far fewer; each is compared with every rule. */
const REQUEST_HEADERS_MAX = 100;

/**
 * Answers the question that a browser asks before a request, without any signature.
 *
 * @throws S3Error BadRequest, NoSuchBucket, AccessForbidden.
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/RESTOPTIONSobject.html
 */
export async function answerPreflight(
  request: CrossOriginRequest,
  buckets: BucketLookup,
): Promise<S3Response> {
  const { bucket: name, key, headers } = request;
  const origin = headers.get('origin') ?? '';
  if (origin === '') {
    throw badRequest('Insufficient information. Origin request header needed.');
  }
  const method = headers.get('access-control-request-method') ?? '';
  if (!METHODS.has(method)) {
    throw badRequest(`Invalid Access-Control-Request-Method: ${method === '' ? 'null' : method}`);
  }
  const asked = (headers.get('access-control-request-headers') ?? '')
    .split(',')
    .map((header) => header.trim().toLowerCase())
    .filter((header) => header !== '');
  if (asked.length > REQUEST_HEADERS_MAX) throw badRequest('Too many headers.');

  const detail = { Method: method, ResourceType: key === null ? 'BUCKET' : 'OBJECT' };
  if (name === null) {
    throw new S3Error('AccessForbidden', detail, { message: 'CORSResponse: Bucket not found' });
  }
  const bucket = await buckets.bucket(name);
  if (bucket === null) throw new S3Error('NoSuchBucket', { BucketName: name });
  const rules = bucketConfiguration(bucket, 'cors');
  if (rules === null) throw new S3Error('AccessForbidden', detail);
  const answer = corsAnswer(rules, { origin, method, headers: asked });
  if (answer === null) {
    const message =
      'CORSResponse: This CORS request is not allowed. This is usually because the evalution of ' +
      'Origin, request method / Access-Control-Request-Method or Access-Control-Request-Headers ' +
      "are not whitelisted by the resource's CORS spec.";
    throw new S3Error('AccessForbidden', detail, { message });
  }
  return { status: 200, headers: { ...answer, 'content-length': '0' } };
}

function badRequest(message: string): S3Error {
  return new S3Error('BadRequest', {}, { message });
}

/**
 * What is added to every answer that a browser lets a page of another origin see: also to errors,
 * whose reason it would hide otherwise. Nothing for a preflight, which has been answered with
 * all that it is allowed. Never throws for what the client sent.
 */
export async function crossOriginHeaders(
  request: CrossOriginRequest,
  buckets: BucketLookup,
  signal: AbortSignal,
): Promise<Readonly<Record<string, string>>> {
  const origin = request.headers.get('origin') ?? '';
  if (origin === '' || request.bucket === null || request.method === 'OPTIONS') return {};
  const bucket = await buckets.bucket(request.bucket, signal);
  const rules = bucket === null ? null : bucketConfiguration(bucket, 'cors');
  if (rules === null) return {};
  const method = request.headers.get('access-control-request-method') ?? request.method;
  return corsAnswer(rules, { origin, method, headers: [] }) ?? {};
}
