import { createHash, createHmac } from 'node:crypto';

/** A second, plain implementation of SigV4, so that the one under test is not compared with itself. */
export interface SignerOptions {
  readonly accessKeyId: string;
  readonly secretKey: string;
  readonly region: string;
  readonly service?: string;
  readonly timestamp: string;
}

export interface UnsignedRequest {
  readonly method: string;
  /** Raw request target. */
  readonly target: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly payloadHash: string;
}

export const sha256 = (data: string | Uint8Array): string =>
  createHash('sha256').update(data).digest('hex');
const hmac = (key: string | Buffer, text: string): Buffer =>
  createHmac('sha256', key).update(text).digest();

export const scopeOf = (options: SignerOptions): string =>
  `${options.timestamp.slice(0, 8)}/${options.region}/${options.service ?? 's3'}/aws4_request`;

export function signingKeyOf(options: SignerOptions): Buffer {
  const date = hmac(`AWS4${options.secretKey}`, options.timestamp.slice(0, 8));
  return hmac(hmac(hmac(date, options.region), options.service ?? 's3'), 'aws4_request');
}

function encode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function canonicalTarget(target: string): { path: string; query: string } {
  const [path = '', query = ''] = target.split(/\?(.*)/s);
  const pairs = query
    .split('&')
    .filter((part) => part !== '')
    .map((part) => part.split(/=(.*)/s).slice(0, 2).concat('').slice(0, 2))
    .map((pair) => pair.map((part) => encode(decodeURIComponent(part))).join('='));
  return {
    path: path
      .split('/')
      .map((segment) => encode(decodeURIComponent(segment)))
      .join('/'),
    query: pairs.sort().join('&'),
  };
}

export function signatureOf(
  request: UnsignedRequest,
  signedHeaders: readonly string[],
  options: SignerOptions,
): string {
  const { path, query } = canonicalTarget(request.target);
  const lines = signedHeaders.map((name) => `${name}:${request.headers[name] ?? ''}\n`).join('');
  const canonical = [
    request.method,
    path,
    query,
    lines,
    signedHeaders.join(';'),
    request.payloadHash,
  ].join('\n');
  const text = `AWS4-HMAC-SHA256\n${options.timestamp}\n${scopeOf(options)}\n${sha256(canonical)}`;
  return hmac(signingKeyOf(options), text).toString('hex');
}

/** The headers of a request with its Authorization; `authorizationOf` may build a broken one. */
export function signHeaders(
  request: UnsignedRequest,
  options: SignerOptions,
): Record<string, string> {
  const headers: Record<string, string> = {
    ...request.headers,
    'x-amz-date': options.timestamp,
    'x-amz-content-sha256': request.payloadHash,
  };
  const names = Object.keys(headers)
    .filter((name) => name !== 'content-length' && name !== 'transfer-encoding')
    .sort();
  const signature = signatureOf({ ...request, headers }, names, options);
  headers['authorization'] =
    `AWS4-HMAC-SHA256 Credential=${options.accessKeyId}/${scopeOf(options)},` +
    `SignedHeaders=${names.join(';')},Signature=${signature}`;
  return headers;
}

export function presign(
  request: Omit<UnsignedRequest, 'payloadHash'>,
  expiresSeconds: number,
  options: SignerOptions,
): string {
  const names = Object.keys(request.headers).sort();
  const separator = request.target.includes('?') ? '&' : '?';
  const target =
    `${request.target}${separator}X-Amz-Algorithm=AWS4-HMAC-SHA256` +
    `&X-Amz-Credential=${encodeURIComponent(`${options.accessKeyId}/${scopeOf(options)}`)}` +
    `&X-Amz-Date=${options.timestamp}&X-Amz-Expires=${expiresSeconds}` +
    `&X-Amz-SignedHeaders=${encodeURIComponent(names.join(';'))}`;
  const signature = signatureOf(
    { ...request, target, payloadHash: 'UNSIGNED-PAYLOAD' },
    names,
    options,
  );
  return `${target}&X-Amz-Signature=${signature}`;
}

export interface ChunkedBody {
  readonly chunks: readonly Uint8Array[];
  readonly trailers?: Readonly<Record<string, string>>;
}

/** Parts of an aws-chunked body, apart, so that a test can break each of them. */
export interface ChunkedParts {
  readonly chunks: { header: string; data: Uint8Array }[];
  readonly trailerLines: string[];
  trailerSignature: string | null;
}

export function chunkedParts(
  body: ChunkedBody,
  signing: { readonly options: SignerOptions; readonly seed: string } | null,
): ChunkedParts {
  let previous = signing?.seed ?? '';
  const prefix = (algorithm: string): string =>
    signing === null
      ? ''
      : `${algorithm}\n${signing.options.timestamp}\n${scopeOf(signing.options)}\n${previous}\n`;
  const chunks = [...body.chunks, new Uint8Array()].map((data) => {
    let header = data.length.toString(16);
    if (signing !== null) {
      const text = `${prefix('AWS4-HMAC-SHA256-PAYLOAD')}${sha256('')}\n${sha256(data)}`;
      previous = hmac(signingKeyOf(signing.options), text).toString('hex');
      header += `;chunk-signature=${previous}`;
    }
    return { header, data };
  });
  const entries = Object.entries(body.trailers ?? {});
  let trailerSignature: string | null = null;
  if (signing !== null && body.trailers !== undefined) {
    const lines = entries.map(([name, value]) => `${name}:${value}\n`).join('');
    const text = `${prefix('AWS4-HMAC-SHA256-TRAILER')}${sha256(lines)}`;
    trailerSignature = hmac(signingKeyOf(signing.options), text).toString('hex');
  }
  return {
    chunks,
    trailerLines: entries.map(([name, value]) => `${name}:${value}`),
    trailerSignature,
  };
}

export function joinChunked(parts: ChunkedParts): Buffer {
  const pieces: Uint8Array[] = [];
  for (const { header, data } of parts.chunks) {
    pieces.push(Buffer.from(`${header}\r\n`), data);
    if (data.length > 0) pieces.push(Buffer.from('\r\n'));
  }
  for (const line of parts.trailerLines) pieces.push(Buffer.from(`${line}\r\n`));
  if (parts.trailerSignature !== null) {
    pieces.push(Buffer.from(`x-amz-trailer-signature:${parts.trailerSignature}\r\n`));
  }
  pieces.push(Buffer.from('\r\n'));
  return Buffer.concat(pieces);
}
