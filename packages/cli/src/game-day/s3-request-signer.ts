import { createHash, createHmac } from 'node:crypto';

export interface S3Credentials {
  readonly region: string;
  readonly accessKey: string;
  readonly secretKey: string;
}

/** What of a request is signed besides its host and time. */
export interface SignableRequest {
  readonly method: string;
  /** Percent-encoded. */
  readonly path: string;
  /** Sorted and percent-encoded; every name has a `=`. */
  readonly query?: string;
  /** Headers in small letters; those of Amazon are signed, as they must be. */
  readonly headers?: Readonly<Record<string, string>>;
}

const PAYLOAD = 'UNSIGNED-PAYLOAD';

/**
 * AWS Signature Version 4, "Authenticating requests: using the Authorization header", with the
 * least that it allows: the body is not signed, and the key of a day is derived once.
 */
export class S3RequestSigner {
  readonly #credentials: S3Credentials;
  #signingKey: { readonly day: string; readonly key: Buffer } | null = null;

  constructor(credentials: S3Credentials) {
    this.#credentials = credentials;
  }

  /** The headers that make the request a signed one. `wallMs` is the time of the request. */
  headers(request: SignableRequest, host: string, wallMs: number): Record<string, string> {
    const { region, accessKey } = this.#credentials;
    const time = new Date(wallMs).toISOString().replace(/[-:]|\.\d{3}/g, '');
    const day = time.slice(0, 8);
    const signed = [
      ...Object.entries(request.headers ?? {}).filter(([name]) => name.startsWith('x-amz-')),
      ...[['host', host] as const, ['x-amz-content-sha256', PAYLOAD] as const],
      ['x-amz-date', time] as const,
    ].sort(([a], [b]) => (a < b ? -1 : 1));
    const signedNames = signed.map(([name]) => name).join(';');
    const canonical =
      `${request.method}\n${request.path}\n${request.query ?? ''}\n` +
      `${signed.map(([name, value]) => `${name}:${value}\n`).join('')}\n${signedNames}\n${PAYLOAD}`;
    const scope = `${day}/${region}/s3/aws4_request`;
    const digest = createHash('sha256').update(canonical).digest('hex');
    const signature = createHmac('sha256', this.#keyOf(day))
      .update(`AWS4-HMAC-SHA256\n${time}\n${scope}\n${digest}`)
      .digest('hex');
    return {
      host,
      'x-amz-content-sha256': PAYLOAD,
      'x-amz-date': time,
      authorization:
        `AWS4-HMAC-SHA256 Credential=${accessKey}/${scope}, SignedHeaders=${signedNames}, ` +
        `Signature=${signature}`,
    };
  }

  #keyOf(day: string): Buffer {
    if (this.#signingKey?.day === day) return this.#signingKey.key;
    const mac = (key: string | Buffer, text: string): Buffer =>
      createHmac('sha256', key).update(text).digest();
    const { secretKey, region } = this.#credentials;
    const key = mac(mac(mac(mac(`AWS4${secretKey}`, day), region), 's3'), 'aws4_request');
    this.#signingKey = { day, key };
    return key;
  }
}
