import { S3Client } from '@aws-sdk/client-s3';
import * as fc from 'fast-check';

import { Authenticator } from '../../src/auth/authenticate';
import { clusterRootPrincipal, singleCredentialStore } from '../../src/auth/credentials';
import { canonicalPercent } from '../../src/http/percent-encoding';
import { parseRequestHead } from '../../src/http/request-head';
import type { RequestHead } from '../../src/http/request-head';
import { S3Error } from '../../src/s3/s3-error';

/** The signer of the AWS SDK against the verifier: whatever it signs is accepted, and only that. */
const NOW = new Date(Date.UTC(2026, 0, 2, 3, 4, 5));
const KEYS = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'a secret of some length' };
const HOST = 's3.example.test:9000';

interface SdkSigner {
  sign(request: Signed, options: { readonly signingDate: Date }): Promise<Signed>;
  presign(
    request: Signed,
    options: { readonly signingDate: Date; readonly expiresIn: number },
  ): Promise<Signed>;
}

const client = new S3Client({ region: 'eu-test-1', credentials: KEYS });
let signer: SdkSigner;

beforeAll(async () => {
  // The package of the signer is not one that we depend on; the client hands it out.
  const config = client.config as unknown as {
    readonly signer: (scheme: Readonly<Record<string, unknown>>) => Promise<SdkSigner>;
  };
  signer = await config.signer({
    schemeId: 'aws.auth#sigv4',
    name: 'sigv4',
    signingName: 's3',
    signingRegion: 'eu-test-1',
    properties: {},
  });
});

afterAll(() => client.destroy());

const principal = clusterRootPrincipal('cluster');
const authenticator = new Authenticator(
  singleCredentialStore({
    accessKeyId: KEYS.accessKeyId,
    secretKey: KEYS.secretAccessKey,
    principal,
  }),
  'eu-test-1',
);

const key = fc
  .string({ unit: 'binary', minLength: 1, maxLength: 40 })
  .filter((text) => Buffer.from(text, 'utf8').toString('utf8') === text);
const query = fc.dictionary(
  fc
    .string({ unit: 'grapheme', minLength: 1, maxLength: 8 })
    .filter((name) => !/^x-amz/i.test(name)),
  fc.string({ unit: 'grapheme', maxLength: 12 }),
  { maxKeys: 4, noNullPrototype: true },
);
const headers = fc.dictionary(
  fc.stringMatching(/^x-amz-meta-[a-z0-9-]{1,8}$/),
  fc.stringMatching(/^[ -~]{0,20}$/),
  { maxKeys: 4, noNullPrototype: true },
);
const request = fc.record({
  method: fc.constantFrom('GET', 'PUT', 'POST', 'DELETE', 'HEAD'),
  key,
  query,
  headers,
});
type Request = typeof request extends fc.Arbitrary<infer Value> ? Value : never;

const encode = (text: string): string =>
  canonicalPercent(
    encodeURIComponent(text).replace(/[!'()*]/g, (each) => `%${each.charCodeAt(0).toString(16)}`),
    false,
  );

function plainRequest(asked: Request): Signed {
  return {
    method: asked.method,
    protocol: 'http:',
    hostname: 's3.example.test',
    port: 9000,
    path: `/bucket/${asked.key.split('/').map(encode).join('/')}`,
    query: asked.query,
    headers: { host: HOST, 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD', ...asked.headers },
  };
}

interface Signed {
  readonly protocol?: string;
  readonly hostname?: string;
  readonly port?: number;
  readonly method: string;
  readonly path: string;
  readonly query?: unknown;
  readonly headers: Readonly<Record<string, string>>;
}

function headOf(
  signed: Signed,
  change: { readonly target?: (target: string) => string } = {},
): RequestHead {
  const pairs = Object.entries((signed.query ?? {}) as Record<string, string>);
  const text = pairs.map(([name, value]) => `${encode(name)}=${encode(value)}`).join('&');
  const target = text === '' ? signed.path : `${signed.path}?${text}`;
  return parseRequestHead(
    {
      method: signed.method,
      url: change.target?.(target) ?? target,
      rawHeaders: Object.entries(signed.headers).flat(),
    },
    [],
  );
}

async function codeOf(head: RequestHead): Promise<string> {
  try {
    const found = await authenticator.authenticate(head, NOW.getTime());
    return found.principal.kind;
  } catch (error) {
    if (error instanceof S3Error) return error.code;
    throw error;
  }
}

describe('whatever the AWS SDK signs', () => {
  it('is accepted in headers, and refused when anything of it is changed', async () => {
    await fc.assert(
      fc.asyncProperty(request, fc.nat(), async (asked, where) => {
        const signed = await signer.sign(plainRequest(asked), {
          signingDate: NOW,
        });
        expect(await codeOf(headOf(signed))).toBe('root');

        const names = Object.keys(signed.headers).filter((name) => name !== 'authorization');
        const name = names[where % names.length] ?? 'host';
        const changed = { ...signed, headers: { ...signed.headers, [name]: 'changed' } };
        expect(await codeOf(headOf(changed))).not.toBe('root');
        const other = headOf(signed, {
          target: (target) => target.replace('/bucket/', '/bucket/x'),
        });
        expect(await codeOf(other)).toBe('SignatureDoesNotMatch');
        const method = signed.method === 'GET' ? 'PUT' : 'GET';
        expect(await codeOf(headOf({ ...signed, method }))).toBe('SignatureDoesNotMatch');
      }),
      { numRuns: 200 },
    );
  });

  it('is accepted in URLs, and refused when anything of it is changed', async () => {
    await fc.assert(
      fc.asyncProperty(request, async (asked) => {
        const plain = plainRequest({ ...asked, headers: {} });
        const headers = { host: HOST, 'X-Amz-Content-Sha256': 'UNSIGNED-PAYLOAD' };
        const signed = await signer.presign(
          { ...plain, headers },
          {
            signingDate: NOW,
            expiresIn: 60,
          },
        );
        expect(await codeOf(headOf({ ...signed, headers: { host: HOST } }))).toBe('root');
        const more = headOf(
          { ...signed, headers: { host: HOST } },
          { target: (target) => `${target}&forged=1` },
        );
        expect(await codeOf(more)).toBe('SignatureDoesNotMatch');
      }),
      { numRuns: 100 },
    );
  });
});
