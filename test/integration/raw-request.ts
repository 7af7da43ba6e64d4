import { createHash, createHmac } from 'node:crypto';
import { connect } from 'node:net';

/**
 * A signer and a client of their own: what they send is on the wire byte for byte, and no code of
 * the gateway or of an SDK can hide a mistake of the other.
 */
export interface Target {
  readonly endpoint: string;
  readonly accessKey: string;
  readonly secretKey: string;
}

export interface RawRequest {
  readonly method: string;
  /** As it is sent; ASCII that needs no encoding. */
  readonly path: string;
  /** As it is sent, sorted: `delete=`. */
  readonly query?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** `x-amz-content-sha256`; default: the SHA-256 of the body. */
  readonly payloadHash?: string;
  readonly body?: Buffer;
}

export interface SignedHead {
  readonly head: string;
  readonly signature: string;
  readonly signingKey: Buffer;
  readonly timestamp: string;
  readonly scope: string;
}

export interface RawAnswer {
  /** 0 when the connection ended without an answer. */
  readonly status: number;
  /** `<Code>` of the error document. */
  readonly code: string;
}

const ANSWER_TIMEOUT_MS = 20_000;

export function sha256Hex(data: string | Buffer): string {
  return createHash('sha256').update(data).digest('hex');
}

export function hmac(key: string | Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}

/** The request line and headers, signed (SigV4, all headers). */
export function signHead(target: Target, request: RawRequest): SignedHead {
  const timestamp = new Date().toISOString().replaceAll(/[-:]|\.\d+/g, '');
  const date = timestamp.slice(0, 8);
  const scope = `${date}/us-east-1/s3/aws4_request`;
  const body = request.body ?? Buffer.alloc(0);
  const payloadHash = request.payloadHash ?? sha256Hex(body);
  const headers: Record<string, string> = {
    host: new URL(target.endpoint).host,
    'content-length': `${body.length}`,
    'x-amz-content-sha256': payloadHash,
    'x-amz-date': timestamp,
    ...request.headers,
  };
  const names = Object.keys(headers).sort();
  const lines = names.map((name) => `${name}:${headers[name] ?? ''}\n`).join('');
  const { method, path, query = '' } = request;
  const canonical = `${method}\n${path}\n${query}\n${lines}\n${names.join(';')}\n${payloadHash}`;
  const signingKey = ['us-east-1', 's3', 'aws4_request'].reduce<Buffer>(
    (key, part) => hmac(key, part),
    hmac(`AWS4${target.secretKey}`, date),
  );
  const text = `AWS4-HMAC-SHA256\n${timestamp}\n${scope}\n${sha256Hex(canonical)}`;
  const signature = hmac(signingKey, text).toString('hex');
  const authorization =
    `AWS4-HMAC-SHA256 Credential=${target.accessKey}/${scope}, ` +
    `SignedHeaders=${names.join(';')}, Signature=${signature}`;
  const sent = { ...headers, authorization, connection: 'close' };
  const headerLines = Object.entries(sent).map(([name, value]) => `${name}: ${value}\r\n`);
  const url = query === '' ? path : `${path}?${query}`;
  const head = `${method} ${url} HTTP/1.1\r\n${headerLines.join('')}\r\n`;
  return { head, signature, signingKey, timestamp, scope };
}

/** A body in signed chunks, with its closing empty chunk. */
export function signedChunks(signed: SignedHead, chunks: readonly Buffer[]): Buffer {
  const { signingKey, timestamp, scope } = signed;
  let previous = signed.signature;
  const parts = [...chunks, Buffer.alloc(0)].flatMap((chunk) => {
    const text =
      `AWS4-HMAC-SHA256-PAYLOAD\n${timestamp}\n${scope}\n${previous}\n` +
      `${sha256Hex('')}\n${sha256Hex(chunk)}`;
    previous = hmac(signingKey, text).toString('hex');
    const size = chunk.length.toString(16);
    return [Buffer.from(`${size};chunk-signature=${previous}\r\n`), chunk, Buffer.from('\r\n')];
  });
  return Buffer.concat(parts);
}

/** Sends bytes as they are and reads the answer to its end. */
export function exchange(
  target: Target,
  ...pieces: readonly (string | Buffer)[]
): Promise<RawAnswer> {
  return talk(target, pieces, false);
}

/** The same, and says that no more will come. */
export function exchangeAndEnd(
  target: Target,
  ...pieces: readonly (string | Buffer)[]
): Promise<RawAnswer> {
  return talk(target, pieces, true);
}

function talk(
  target: Target,
  pieces: readonly (string | Buffer)[],
  isEnded: boolean,
): Promise<RawAnswer> {
  const { hostname, port } = new URL(target.endpoint);
  return new Promise((resolve) => {
    const received: Buffer[] = [];
    const socket = connect(Number(port), hostname);
    socket.setTimeout(ANSWER_TIMEOUT_MS, () => socket.destroy());
    socket.on('data', (chunk: Buffer) => received.push(chunk));
    // The server may cut off what it has refused.
    socket.on('error', () => undefined);
    socket.on('close', () => {
      const text = Buffer.concat(received).toString('latin1');
      resolve({
        status: Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 0),
        code: /<Code>(\w+)<\/Code>/.exec(text)?.[1] ?? '',
      });
    });
    for (const piece of pieces) socket.write(piece);
    if (isEnded) socket.end();
  });
}

/** Signs and sends a whole request. */
export function send(target: Target, request: RawRequest): Promise<RawAnswer> {
  return exchange(target, signHead(target, request).head, request.body ?? '');
}
