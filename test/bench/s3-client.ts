import { Pool } from 'undici';

import { S3RequestSigner } from '../../packages/cli/src/game-day/s3-request-signer';
import type { S3Credentials } from '../../packages/cli/src/game-day/s3-request-signer';

export interface S3Target extends S3Credentials {
  /** Requests go to these in turn. */
  readonly endpoints: readonly string[];
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
  readonly #signer: S3RequestSigner;
  readonly #pools: readonly Pool[];
  #next = 0;

  constructor(target: S3Target, connections: number) {
    this.#target = target;
    this.#signer = new S3RequestSigner(target);
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
          headers: this.#signer.headers(request, host, Date.now()),
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
}
