import { Agent, request as httpRequest } from 'node:http';

import type { Clock } from '@azimuth/common';
import { StoreError } from '@azimuth/common';

import { S3RequestSigner } from './s3-request-signer';
import type { S3Credentials } from './s3-request-signer';

/** Where a workload sends its requests, and as whom. */
export interface S3Endpoint extends S3Credentials {
  readonly url: string;
}

export interface S3Call {
  readonly method: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE';
  /** `/bucket/key`, percent-encoded. */
  readonly path: string;
  /** Sorted and encoded; values are never empty here. */
  readonly query?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer;
}

export interface S3Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

const ANSWER_BYTES_MAX = 64 * 1024 * 1024;

/**
 * A client that sends each request once: no retry hides what a fault does, and none makes an
 * operation's outcome ambiguous.
 */
export class S3Session {
  readonly #endpoint: S3Endpoint;
  readonly #signer: S3RequestSigner;
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 4 });

  constructor(endpoint: S3Endpoint, clock: Clock, timeoutMs: number) {
    this.#endpoint = endpoint;
    this.#signer = new S3RequestSigner(endpoint);
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
  }

  /** Errors: UNAVAILABLE (refused, reset, cut short), TIMEOUT. */
  send(call: S3Call): Promise<S3Answer> {
    const { hostname, port, host } = new URL(this.#endpoint.url);
    const path = call.query === undefined ? call.path : `${call.path}?${call.query}`;
    const body = call.body ?? Buffer.alloc(0);
    const headers = {
      ...call.headers,
      ...this.#signer.headers(call, host, this.#clock.wallMs()),
      'content-length': String(body.length),
    };
    return new Promise((resolve, reject) => {
      const request = httpRequest(
        { hostname, port, path, method: call.method, headers, agent: this.#agent },
        (response) => {
          const chunks: Buffer[] = [];
          let bytes = 0;
          response.on('data', (chunk: Buffer) => {
            bytes += chunk.length;
            if (bytes > ANSWER_BYTES_MAX) request.destroy(new StoreError('OVERLOADED'));
            else chunks.push(chunk);
          });
          response.on('error', fail);
          response.on('aborted', () =>
            fail(new StoreError('UNAVAILABLE', { reason: 'cut short' })),
          );
          response.on('end', () => {
            cancelTimer();
            const { statusCode = 0, headers: answered } = response;
            resolve({ status: statusCode, headers: answered, body: Buffer.concat(chunks) });
          });
        },
      );
      const cancelTimer = this.#clock.schedule(this.#timeoutMs, () =>
        request.destroy(new StoreError('TIMEOUT')),
      );
      function fail(error: Error): void {
        cancelTimer();
        const isKnown = error instanceof StoreError;
        reject(isKnown ? error : new StoreError('UNAVAILABLE', { reason: error.message }));
      }
      request.on('error', fail);
      request.end(body);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}
