import { Agent, request } from 'node:http';

import { CreateBucketCommand, GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { GetSessionTokenCommand } from '@aws-sdk/client-sts';

import { formatTimestamp } from '../../src/auth/sigv4';
import { ROUTES } from '../../src/http/router';
import { IAM_ACTIONS } from '../../src/iam/iam-actions';
import { STS_ACTIONS } from '../../src/sts/sts-actions';
import { CLUSTER_REGION, ClusterGateway, ROOT } from '../support/cluster-gateway';
import type { Keys } from '../support/cluster-gateway';
import { chunkedParts, joinChunked, presign, sha256, signHeaders } from '../support/sigv4-signer';
import type { SignerOptions } from '../support/sigv4-signer';

/**
 * Table rows 1 to 8 and 23: every route, in every mode of bodies, with every forgery of its head.
 * All are refused by the whole gateway, and one object that all could reach stays as it is.
 */
const BUCKET = 'canary-bucket';
const CANARY = Buffer.from('the canary sings as it always did');
const BODY = Buffer.from('<Forged/>');
const CASES_MIN = 2_000;

let gateway: ClusterGateway;
let session: Keys;
let agent: Agent;

beforeAll(async () => {
  gateway = await ClusterGateway.start();
  agent = new Agent({ keepAlive: true, maxSockets: 8 });
  const s3 = gateway.s3();
  await s3.send(new CreateBucketCommand({ Bucket: BUCKET }));
  await s3.send(new PutObjectCommand({ Bucket: BUCKET, Key: 'canary', Body: CANARY }));
  const { Credentials } = await gateway.sts().send(new GetSessionTokenCommand({}));
  session = {
    accessKeyId: Credentials?.AccessKeyId ?? '',
    secretAccessKey: Credentials?.SecretAccessKey ?? '',
    sessionToken: Credentials?.SessionToken ?? '',
  };
});

afterAll(async () => {
  agent.destroy();
  await gateway.close();
});

interface Shape {
  readonly name: string;
  readonly method: string;
  readonly target: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** A request that would reach the operation of a route, were it signed. */
function shapes(): Shape[] {
  return ROUTES.map(({ operation, method, scope, subresource, header, parameter, required }) => {
    const path = {
      service: '/',
      account: '/v20180820/configuration/publicAccessBlock',
      bucket: `/${BUCKET}`,
      object: `/${BUCKET}/canary`,
    }[scope];
    const names = new Set([subresource, parameter, ...(required ?? [])].filter((each) => each));
    const values: Readonly<Record<string, string>> = {
      'list-type': '2',
      partNumber: '1',
      uploadId: 'u',
      id: 'i',
      annotationName: 'a',
    };
    const query = [...names].map((name) => `${name}=${values[name ?? ''] ?? ''}`).join('&');
    return {
      name: operation,
      method,
      target: query === '' ? path : `${path}?${query}`,
      headers: header === undefined ? {} : { [header]: `/${BUCKET}/canary` },
    };
  });
}

/** What is sent, whole and signed. A forgery changes it afterwards. */
interface Attempt {
  method: string;
  target: string;
  headers: Record<string, string>;
  body: Buffer;
}

interface Mode {
  readonly name: string;
  make(shape: Shape, options: SignerOptions, more: Readonly<Record<string, string>>): Attempt;
}

function headerMode(name: string, payloadHash: string, isChunked: boolean): Mode {
  return {
    name,
    make(shape, options, more) {
      const headers = {
        host: hostOf(),
        ...shape.headers,
        ...more,
        ...(isChunked
          ? {
              'content-encoding': 'aws-chunked',
              'x-amz-decoded-content-length': String(BODY.length),
            }
          : {}),
        ...(payloadHash.endsWith('TRAILER') ? { 'x-amz-trailer': 'x-amz-checksum-crc32' } : {}),
      };
      const { method, target } = shape;
      const signed = signHeaders({ method, target, headers, payloadHash }, options);
      const seed = /Signature=(\w+)$/.exec(signed['authorization'] ?? '')?.[1] ?? '';
      const trailers = payloadHash.endsWith('TRAILER')
        ? { trailers: { 'x-amz-checksum-crc32': 'AAAAAA==' } }
        : {};
      const body = isChunked
        ? joinChunked(
            chunkedParts(
              { chunks: [BODY], ...trailers },
              payloadHash.includes('HMAC') ? { options, seed } : null,
            ),
          )
        : BODY;
      return { method, target, headers: signed, body };
    },
  };
}

const MODES: readonly Mode[] = [
  headerMode('hashed', sha256(BODY), false),
  headerMode('unsigned', 'UNSIGNED-PAYLOAD', false),
  headerMode('unsigned trailer', 'STREAMING-UNSIGNED-PAYLOAD-TRAILER', true),
  headerMode('signed chunks', 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD', true),
  headerMode('signed chunks and trailer', 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER', true),
  {
    name: 'presigned',
    make({ method, target, headers }, options, more) {
      const token = more['x-amz-security-token'];
      const separator = target.includes('?') ? '&' : '?';
      const asked =
        token === undefined
          ? target
          : `${target}${separator}X-Amz-Security-Token=${encodeURIComponent(token)}`;
      const signed = { host: hostOf(), ...headers };
      const request = { method, target: asked, headers: signed };
      return { method, target: presign(request, 600, options), headers: signed, body: BODY };
    },
  },
];

type Forge = (mode: Mode, shape: Shape) => Attempt;

/** The last hexadecimal digit of the signature, wherever it stands. */
function otherSignature(attempt: Attempt): Attempt {
  const flip = (text: string): string =>
    text.replace(/(Signature=\w*)(\w)/, (_all, start: string, last: string) => {
      return `${start}${last === '0' ? '1' : '0'}`;
    });
  const authorization = attempt.headers['authorization'];
  if (authorization === undefined) attempt.target = flip(attempt.target);
  else attempt.headers['authorization'] = flip(authorization);
  return attempt;
}

const FORGERIES: Readonly<Record<string, Forge>> = {
  'a wrong secret': (mode, shape) => mode.make(shape, signer({ secretKey: 'wrong' }), {}),
  'an unknown key': (mode, shape) => mode.make(shape, signer({ accessKeyId: 'AKIANOBODY000' }), {}),
  'another service': (mode, shape) => mode.make(shape, signer({ service: 's3tables' }), {}),
  'the service of IAM': (mode, shape) => mode.make(shape, signer({ service: 'iam' }), {}),
  'another region': (mode, shape) => mode.make(shape, signer({ region: 'xx-test-9' }), {}),
  'an old date': (mode, shape) =>
    mode.make(shape, signer({ timestamp: formatTimestamp(Date.now() - 3_600_000) }), {}),
  'a flipped digit': (mode, shape) => otherSignature(mode.make(shape, signer(), {})),
  'no signature at all': (mode, shape) => {
    const attempt = mode.make(shape, signer(), {});
    delete attempt.headers['authorization'];
    attempt.target = shape.target;
    return attempt;
  },
  'a parameter more': (mode, shape) => {
    const attempt = mode.make(shape, signer(), {});
    attempt.target += `${attempt.target.includes('?') ? '&' : '?'}x-forged=1`;
    return attempt;
  },
  'a header more': (mode, shape) => {
    const attempt = mode.make(shape, signer(), {});
    attempt.headers['x-amz-meta-forged'] = 'yes';
    return attempt;
  },
  'another method': (mode, shape) => {
    const attempt = mode.make(shape, signer(), {});
    attempt.method = attempt.method === 'DELETE' ? 'PUT' : 'DELETE';
    return attempt;
  },
  'a made-up token': (mode, shape) =>
    mode.make(shape, signer(), { 'x-amz-security-token': 'Zm9yZ2Vk' }),
  'temporary credentials without their token': (mode, shape) =>
    mode.make(shape, signer(of(session)), {}),
  'temporary credentials with another token': (mode, shape) => {
    const token = session.sessionToken ?? '';
    const other = `${token.slice(0, -1)}${token.endsWith('A') ? 'Q' : 'A'}`;
    return mode.make(shape, signer(of(session)), { 'x-amz-security-token': other });
  },
};

/** How often the forgeries go round; each route has these many in each mode. */
const FORGERIES_PER_MODE = 3;

function of({ accessKeyId, secretAccessKey }: Keys): Partial<SignerOptions> {
  return { accessKeyId, secretKey: secretAccessKey };
}

function signer(change: Partial<SignerOptions> = {}): SignerOptions {
  return {
    accessKeyId: ROOT.accessKeyId,
    secretKey: ROOT.secretAccessKey,
    region: CLUSTER_REGION,
    timestamp: formatTimestamp(Date.now()),
    ...change,
  };
}

function hostOf(): string {
  return `127.0.0.1:${gateway.service.httpPort}`;
}

interface Answer {
  readonly status: number;
  readonly text: string;
}

function send({ method, target, headers, body }: Attempt): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      {
        host: '127.0.0.1',
        port: gateway.service.httpPort,
        method,
        path: target,
        headers: { ...headers, 'content-length': String(body.length) },
        agent,
      },
      (incoming) => {
        let text = '';
        incoming.on('data', (chunk: Buffer) => (text += chunk.toString()));
        incoming.on('error', reject);
        incoming.on('end', () => resolve({ status: incoming.statusCode ?? 0, text }));
      },
    );
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

async function expectCanary(): Promise<void> {
  const { Body, Metadata } = await gateway
    .s3()
    .send(new GetObjectCommand({ Bucket: BUCKET, Key: 'canary' }));
  expect(Buffer.from((await Body?.transformToByteArray()) ?? []).equals(CANARY)).toBe(true);
  expect(Metadata).toEqual({});
}

describe('forgeries (table rows 1 to 8 and 23)', () => {
  it('are refused on every route, in every mode, and change nothing', async () => {
    const forgeries = Object.entries(FORGERIES);
    const cases: { readonly name: string; readonly attempt: Attempt }[] = [];
    let turn = 0;
    for (const shape of shapes()) {
      for (const mode of MODES) {
        for (let count = 0; count < FORGERIES_PER_MODE; count += 1) {
          const [what, forge] = forgeries[turn % forgeries.length]!;
          turn += 1;
          // A presigned URL of an hour ago is good for as long as it says.
          if (what === 'an old date' && mode.name === 'presigned') continue;
          cases.push({ name: `${shape.name}, ${mode.name}, ${what}`, attempt: forge(mode, shape) });
        }
      }
    }
    const before = gateway.metadata.view.identities().revision;

    const accepted: string[] = [];
    await Promise.all(
      Array.from({ length: 8 }, async () => {
        for (let next = cases.pop(); next !== undefined; next = cases.pop()) {
          const { status, text } = await send(next.attempt);
          if (status < 400 || status >= 500) accepted.push(`${next.name}: ${status}`);
          if (text.includes(ROOT.secretAccessKey)) accepted.push(`${next.name}: secret`);
        }
      }),
    );

    expect(accepted).toEqual([]);
    expect(turn).toBeGreaterThanOrEqual(CASES_MIN);
    await expectCanary();
    expect(gateway.metadata.view.identities().revision).toBe(before);
  }, 60_000);

  it('are refused by every action of IAM and STS (table row 8)', async () => {
    const before = gateway.metadata.view.identities().revision;
    const services = [
      { service: 'iam', version: '2010-05-08', actions: [...IAM_ACTIONS.keys()] },
      {
        service: 'sts',
        version: '2011-06-15',
        actions: [...STS_ACTIONS.values()]
          .filter((each) => !each.isUnsigned)
          .map(({ name }) => name),
      },
    ];
    const accepted: string[] = [];
    let count = 0;
    for (const { service, version, actions } of services) {
      for (const action of actions) {
        const body = Buffer.from(
          `Action=${action}&Version=${version}&UserName=forged&RoleName=forged&GroupName=forged`,
        );
        const sign = (change: Partial<SignerOptions>, signedBody = body): Attempt => ({
          method: 'POST',
          target: '/',
          headers: signHeaders(
            {
              method: 'POST',
              target: '/',
              headers: { host: hostOf(), 'content-type': 'application/x-www-form-urlencoded' },
              payloadHash: sha256(signedBody),
            },
            signer({ service, ...change }),
          ),
          body,
        });
        const unsigned = sign({});
        delete unsigned.headers['authorization'];
        const attempts = {
          'wrong secret': sign({ secretKey: 'wrong' }),
          'the scope of S3': sign({ service: 's3' }),
          'the other scope': sign({ service: service === 'iam' ? 'sts' : 'iam' }),
          'another body': sign({}, Buffer.from('Action=GetUser&Version=2010-05-08')),
          'no signature': unsigned,
        };
        for (const [what, attempt] of Object.entries(attempts)) {
          count += 1;
          const { status, text } = await send(attempt);
          const isRefused = status === 403 || (status === 400 && text.includes('IncompleteSig'));
          if (!isRefused) accepted.push(`${action}, ${what}: ${status} ${text}`);
        }
      }
    }

    expect(accepted).toEqual([]);
    expect(count).toBeGreaterThanOrEqual(300);
    expect(gateway.metadata.view.identities().revision).toBe(before);
  });

  it('would be accepted without the forgery', async () => {
    const shape = shapes().find(({ name }) => name === 'GetObject')!;
    const unsigned = MODES.find(({ name }) => name === 'unsigned')!;
    const presigned = MODES.find(({ name }) => name === 'presigned')!;
    const token = { 'x-amz-security-token': session.sessionToken ?? '' };
    for (const mode of [unsigned, presigned]) {
      for (const attempt of [
        mode.make(shape, signer(), {}),
        mode.make(shape, signer(of(session)), token),
      ]) {
        const { status, text } = await send({ ...attempt, body: Buffer.alloc(0) });
        expect([mode.name, status, text]).toEqual([mode.name, 200, CANARY.toString()]);
      }
    }
  });
});
