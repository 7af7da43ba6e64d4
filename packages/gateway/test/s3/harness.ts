import type { Random } from '@azimuth/common';
import { seededRandom } from '@azimuth/common';
import { MemoryMetadataClient } from '@azimuth/testkit';

import { accountDirectory } from '../../src/auth/accounts';
import type { RequestAccess } from '../../src/auth/authorize';
import type { Principal } from '../../src/auth/principal';
import { ANONYMOUS, rootOfAccount } from '../../src/auth/principal';
import type { XmlElement } from '../../src/http/xml/xml-element';
import { parseXml } from '../../src/http/xml/xml-element';
import type { FormSender, S3Request, SignedForm } from '../../src/http/request';
import type { S3Response } from '../../src/http/response';
import type { OperationContext } from '../../src/s3/operation';
import { isRefused, OPERATIONS } from '../../src/s3/operations';
import { toS3Error } from '../../src/s3/s3-error';
import { ManualClock } from '../support/manual-clock';
import { MemoryDataPath } from './memory-data-path';

export const OWNER = rootOfAccount({
  accountId: '000000000001',
  canonicalId: '1'.repeat(64),
  displayName: 'owner',
});
export const STRANGER = rootOfAccount({
  accountId: '000000000002',
  canonicalId: '2'.repeat(64),
  displayName: 'stranger',
});
export const BUCKET = 'some-bucket';

const FULL_ACCESS: RequestAccess = {
  require: () => Promise.resolve(),
  isAllowed: () => Promise.resolve(true),
};

/** A form is signed by whatever its credential names: signatures are tested elsewhere. */
function anonymousForm({ signed }: SignedForm): FormSender {
  return { principal: signed === null ? ANONYMOUS : OWNER, access: FULL_ACCESS };
}

export interface Call {
  readonly bucket?: string | null;
  readonly key?: string | null;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  /** Sent behind the body, and announced. */
  readonly trailers?: Readonly<Record<string, string>>;
  /** Instead of the length of `body`. */
  readonly sizeBytes?: number | null;
  readonly principal?: Principal;
  /** Everything is allowed unless this says otherwise. */
  readonly access?: RequestAccess;
  readonly authenticateForm?: S3Request['authenticateForm'];
  readonly signal?: AbortSignal;
}

export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly bytes: Buffer;
  /** Of a refusal. */
  readonly code: string | null;
  readonly message: string | null;
  readonly detail: Readonly<Record<string, string | number>>;
}

/** The operations over the reference models: everything but HTTP and the cluster. */
export class Harness {
  readonly clock: ManualClock;
  readonly random: Random;
  readonly dataPath: MemoryDataPath;
  readonly metadata: MemoryMetadataClient;
  readonly context: OperationContext;
  viewAgeMs = 0;

  private constructor(
    metadata: MemoryMetadataClient,
    { clock, random }: { readonly clock: ManualClock; readonly random: Random },
    region: string,
  ) {
    this.clock = clock;
    this.random = random;
    this.metadata = metadata;
    this.dataPath = new MemoryDataPath(random, () => clock.wallMs());
    const accounts = accountDirectory(metadata.view, OWNER);
    const view = new Proxy(metadata.view, {
      get: (target, name) => {
        if (name === 'ageMs') return () => this.viewAgeMs;
        const value: unknown = Reflect.get(target, name);
        return typeof value === 'function' ? (value.bind(target) as unknown) : value;
      },
    });
    this.context = { metadata, view, dataPath: this.dataPath, clock, random, region, accounts };
  }

  static async create(indexGroups = 3, region = 'us-east-1'): Promise<Harness> {
    const tools = { clock: new ManualClock(), random: seededRandom(20_261_122) };
    const settings = {
      clusterId: 'c'.repeat(32),
      region,
      zones: ['a', 'b', 'c'],
      erasureProfile: { k: 4, m: 2 },
      replicaProfile: { k: 1, m: 2 },
      inlineBytesMax: 8192,
      replicaBytesMax: 131_072,
      blockBytes: 65_536,
      indexGroups,
    };
    const metadata = await MemoryMetadataClient.create({ settings, ...tools });
    return new Harness(metadata, tools, region);
  }

  async bucket(name = BUCKET): Promise<void> {
    const reply = await this.send('CreateBucket', { bucket: name, key: null });
    expect(reply).toMatchObject({ status: 200 });
  }

  async setVersioning(versioning: 'enabled' | 'suspended', name = BUCKET): Promise<void> {
    await this.metadata.root('SetBucketVersioning', { name, versioning });
  }

  put(key: string, body: string | Uint8Array, call: Call = {}): Promise<Reply> {
    return this.send('PutObject', { key, body, ...call });
  }

  get(key: string, call: Call = {}): Promise<Reply> {
    return this.send('GetObject', { key, ...call });
  }

  /** Runs an operation as the pipeline does, and reads its answer. */
  async send(name: string, call: Call = {}): Promise<Reply> {
    const operation = OPERATIONS.get(name);
    if (operation === undefined || isRefused(operation)) throw new Error(`no operation ${name}`);
    try {
      return await readReply(await operation.handle(makeRequest(call), this.context));
    } catch (error) {
      const refusal = toS3Error(error);
      if (refusal.code === 'InternalError') throw error;
      const { status, headers, code, message, detail } = refusal;
      return { status, headers, bytes: Buffer.alloc(0), code, message, detail };
    }
  }
}

const TIME_STEP_MS = 50;

/** What comes of `sent` while the clock of the harness runs, and after how long. */
export async function whileTimePasses(
  { clock }: Harness,
  sent: Promise<Reply>,
): Promise<{ readonly reply: Reply; readonly afterMs: number }> {
  const sentMs = clock.monotonicMs();
  const answer: { reply?: Reply } = {};
  const answered = sent.then((reply) => {
    answer.reply = reply;
  });
  // Its failure is one of the test.
  await Promise.race([answered, new Promise((resolve) => setImmediate(resolve))]);
  while (answer.reply === undefined) {
    clock.advance(TIME_STEP_MS);
    await Promise.race([answered, new Promise((resolve) => setImmediate(resolve))]);
  }
  return { reply: answer.reply, afterMs: clock.monotonicMs() - sentMs };
}

function makeRequest(call: Call): S3Request {
  const body = Buffer.from(call.body ?? '');
  const trailers = new Map(Object.entries(call.trailers ?? {}));
  return {
    requestId: 'TEST',
    method: 'TEST',
    bucket: call.bucket === undefined ? BUCKET : call.bucket,
    key: call.key ?? null,
    query: new Map(Object.entries(call.query ?? {})),
    headers: new Map(Object.entries(call.headers ?? {})),
    principal: call.principal ?? OWNER,
    access: call.access ?? FULL_ACCESS,
    authenticateForm: call.authenticateForm ?? anonymousForm,
    sourceIp: '127.0.0.1',
    isSecure: false,
    origin: 'http://localhost:9000',
    body: {
      sizeBytes: call.sizeBytes === undefined ? body.byteLength : call.sizeBytes,
      source: {
        async readInto(sink) {
          for (let at = 0; at < body.byteLength; at += 700) await sink(body.subarray(at, at + 700));
        },
      },
      trailers: () => trailers,
      announcedTrailers: [...trailers.keys()],
    },
    signal: call.signal ?? new AbortController().signal,
  };
}

async function readReply({ status, headers = {}, body }: S3Response): Promise<Reply> {
  const none = { code: null, message: null, detail: {} };
  if (body === undefined) return { status, headers, bytes: Buffer.alloc(0), ...none };
  if (body.kind !== 'bytes') {
    const text = body.kind === 'xml' ? body.document : body.text;
    return { status, headers, bytes: Buffer.from(text), ...none };
  }
  const chunks: Buffer[] = [];
  await body.write((chunk) => {
    chunks.push(Buffer.from(chunk));
    return undefined;
  });
  const bytes = Buffer.concat(chunks);
  expect(bytes.byteLength).toBe(body.sizeBytes);
  return { status, headers, bytes, ...none };
}

/** The document of a reply, as a plain tree for expectations: repeated elements become arrays. */
export function documentOf(reply: Reply): XmlElement {
  expect(reply.code).toBeNull();
  return parseXml(reply.bytes);
}

/** Texts of all elements reached by the path, in order. */
export function texts(root: XmlElement, ...path: string[]): string[] {
  let found = [root];
  for (const name of path) {
    found = found.flatMap((parent) => parent.children.filter((child) => child.name === name));
  }
  return found.map((one) => one.text);
}

/** Text of the only element reached by the path; null when there is none. */
export function text(root: XmlElement, ...path: string[]): string | null {
  const found = texts(root, ...path);
  expect(found.length).toBeLessThan(2);
  return found[0] ?? null;
}
