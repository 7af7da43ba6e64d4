import { createHash, createHmac } from 'node:crypto';

import { Pool } from 'undici';

export interface S3Target {
  /** Requests go to these in turn. */
  readonly endpoints: readonly string[];
  readonly region: string;
  readonly accessKey: string;
  readonly secretKey: string;
}

export interface S3Answer {
  readonly status: number;
  readonly bytes: number;
  /** Kept only when asked for. */
  readonly text: string;
}

interface S3Call {
  readonly method: string;
  readonly path: string;
  readonly query?: string;
  readonly body?: Uint8Array;
  readonly keepText?: boolean;
}

/**
 * The cheapest S3 client there can be: it signs with UNSIGNED-PAYLOAD, sends a body from one
 * buffer, and counts what comes back. What a client costs is taken from the servers on a machine of
 * two cores.
 */
export class BenchClient {
  readonly #target: S3Target;
  readonly #pools: readonly Pool[];
  #next = 0;
  #signingKey: { readonly day: string; readonly key: Buffer } | null = null;

  constructor(target: S3Target, connections: number) {
    this.#target = target;
    this.#pools = target.endpoints.map(
      (url) => new Pool(url, { connections, pipelining: 1, bodyTimeout: 60_000 }),
    );
  }

  call(request: S3Call): Promise<S3Answer> {
    const index = this.#next;
    this.#next = (index + 1) % this.#pools.length;
    const pool = this.#pools[index]!;
    const host = new URL(this.#target.endpoints[index]!).host;
    const target = request.query === undefined ? request.path : `${request.path}?${request.query}`;
    return new Promise((resolve, reject) => {
      let status = 0;
      let bytes = 0;
      const chunks: Buffer[] = [];
      pool.dispatch(
        {
          method: request.method,
          path: target,
          headers: this.#headers(request, host),
          // By default undici ends the connection after a HEAD.
          reset: false,
          body:
            request.body === undefined
              ? null
              : Buffer.from(request.body.buffer, request.body.byteOffset, request.body.byteLength),
        },
        {
          onRequestStart: () => undefined,
          onResponseStart(_controller, statusCode) {
            status = statusCode;
          },
          onResponseData(_controller, chunk) {
            bytes += chunk.length;
            if (request.keepText === true || status >= 300) chunks.push(Buffer.from(chunk));
          },
          onResponseEnd: () => resolve({ status, bytes, text: Buffer.concat(chunks).toString() }),
          onResponseError: (_controller, error) => reject(error),
        },
      );
    });
  }

  async close(): Promise<void> {
    await Promise.all(this.#pools.map((pool) => pool.close()));
  }

  /** AWS Signature Version 4, "Authenticating requests: using the Authorization header". */
  #headers(request: S3Call, host: string): Record<string, string> {
    const { region, accessKey } = this.#target;
    const time = new Date().toISOString().replace(/[-:]|\.\d{3}/g, '');
    const day = time.slice(0, 8);
    const payload = 'UNSIGNED-PAYLOAD';
    const names = 'host;x-amz-content-sha256;x-amz-date';
    const canonical =
      `${request.method}\n${request.path}\n${request.query ?? ''}\n` +
      `host:${host}\nx-amz-content-sha256:${payload}\nx-amz-date:${time}\n\n${names}\n${payload}`;
    const scope = `${day}/${region}/s3/aws4_request`;
    const hash = createHash('sha256').update(canonical).digest('hex');
    const signature = createHmac('sha256', this.#keyOf(day))
      .update(`AWS4-HMAC-SHA256\n${time}\n${scope}\n${hash}`)
      .digest('hex');
    return {
      host,
      'x-amz-content-sha256': payload,
      'x-amz-date': time,
      authorization:
        `AWS4-HMAC-SHA256 Credential=${accessKey}/${scope}, ` +
        `SignedHeaders=${names}, Signature=${signature}`,
    };
  }

  #keyOf(day: string): Buffer {
    if (this.#signingKey?.day === day) return this.#signingKey.key;
    const mac = (key: string | Buffer, text: string): Buffer =>
      createHmac('sha256', key).update(text).digest();
    const { secretKey, region } = this.#target;
    const key = mac(mac(mac(mac(`AWS4${secretKey}`, day), region), 's3'), 'aws4_request');
    this.#signingKey = { day, key };
    return key;
  }
}
