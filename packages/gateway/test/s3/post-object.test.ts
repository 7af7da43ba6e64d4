import { createHash, createHmac } from 'node:crypto';

import { Authenticator } from '../../src/auth/authenticate';
import { singleCredentialStore } from '../../src/auth/credentials';
import { deriveSigningKey, formatTimestamp, sign } from '../../src/auth/sigv4';
import { FORM_BYTES_MAX } from '../../src/http/post-form';
import type { S3Request } from '../../src/http/request';
import { ANONYMOUS } from '../../src/auth/principal';
import { checksumHeader } from '../../src/s3/checksum-headers';
import { digestBytes } from '../../src/s3/digest-bytes';
import type { Call, Reply } from './harness';
import { BUCKET, documentOf, Harness, OWNER, text, texts } from './harness';
import { RecordedAccess } from './recorded-access';

const BOUNDARY = 'a-boundary';
const REGION = 'us-east-1';
const KEY_ID = 'AKIDPOSTEXAMPLE';
const SECRET = 'a-secret-of-the-poster';
const TYPE = `multipart/form-data; boundary=${BOUNDARY}`;

type Fields = Readonly<Record<string, string>>;
type Condition = readonly unknown[] | Readonly<Record<string, unknown>>;

interface Form {
  readonly fields?: Fields;
  readonly file?: string | Uint8Array | null;
  readonly filename?: string;
  /** Behind the file. */
  readonly after?: Fields;
}

function encodeForm({
  fields = {},
  file = 'content',
  filename = 'a.txt',
  after = {},
}: Form): Buffer {
  const plain = (all: Fields): Buffer[] =>
    Object.entries(all).map(([name, value]) =>
      Buffer.from(
        `--${BOUNDARY}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`,
      ),
    );
  const disposition = `form-data; name="file"; filename="${filename}"`;
  const head = `--${BOUNDARY}\r\nContent-Disposition: ${disposition}\r\n\r\n`;
  return Buffer.concat([
    ...plain(fields),
    ...(file === null ? [] : [Buffer.from(head), Buffer.from(file), Buffer.from('\r\n')]),
    ...plain(after),
    Buffer.from(`--${BOUNDARY}--\r\n`),
  ]);
}

async function ready(): Promise<Harness> {
  const harness = await Harness.create();
  await harness.bucket();
  return harness;
}

/** Signatures are verified by the real authenticator. */
function authenticateForm(
  harness: Harness,
  access: RecordedAccess,
  allowsSignatureV2 = false,
): S3Request['authenticateForm'] {
  const store = singleCredentialStore({ accessKeyId: KEY_ID, secretKey: SECRET, principal: OWNER });
  const authenticator = new Authenticator(store, REGION, { allowsSignatureV2 });
  const nowMs = harness.clock.wallMs();
  return ({ signed }) => {
    if (signed === null) return { principal: ANONYMOUS, access };
    const principal =
      'accessKeyId' in signed
        ? authenticator.authenticatePolicyV2(signed, nowMs)
        : authenticator.authenticatePolicy(signed, nowMs);
    return { principal, access };
  };
}

function post(
  harness: Harness,
  form: Form,
  { access = new RecordedAccess(), ...call }: Call & { readonly access?: RecordedAccess } = {},
): Promise<Reply> {
  return harness.send('PostObject', {
    principal: ANONYMOUS,
    headers: { 'content-type': TYPE },
    body: encodeForm(form),
    authenticateForm: authenticateForm(harness, access),
    ...call,
  });
}

interface PolicyOptions {
  readonly conditions?: readonly Condition[];
  readonly expiration?: string;
  /** Instead of the document. */
  readonly text?: string;
}

/** The fields of a form that its owner signed. */
function signedFields(harness: Harness, fields: Fields, options: PolicyOptions = {}): Fields {
  const timestamp = formatTimestamp(harness.clock.wallMs());
  const date = timestamp.slice(0, 8);
  const scope = {
    accessKeyId: KEY_ID,
    date,
    region: REGION,
    service: 's3',
    terminal: 'aws4_request',
  };
  const signing = {
    'x-amz-algorithm': 'AWS4-HMAC-SHA256',
    'x-amz-credential': `${KEY_ID}/${date}/${REGION}/s3/aws4_request`,
    'x-amz-date': timestamp,
  };
  const document = {
    expiration: options.expiration ?? new Date(harness.clock.wallMs() + 60_000).toISOString(),
    conditions: options.conditions ?? [
      { bucket: BUCKET },
      ...Object.entries({ ...fields, ...signing }).map(([name]) => ['starts-with', `$${name}`, '']),
    ],
  };
  const policy = Buffer.from(options.text ?? JSON.stringify(document)).toString('base64');
  const signature = sign(deriveSigningKey(SECRET, scope), policy);
  return { ...fields, ...signing, policy, 'x-amz-signature': signature };
}

/** Conditions for the fields that every signed form has. */
const SIGNING: readonly Condition[] = [
  ['starts-with', '$x-amz-algorithm', ''],
  ['starts-with', '$x-amz-credential', ''],
  ['starts-with', '$x-amz-date', ''],
];

describe('PostObject', () => {
  it('G-12: stores the file of an anonymous form where the bucket allows it', async () => {
    const harness = await ready();
    const access = new RecordedAccess();
    const fields = { key: 'k', 'Content-Type': 'text/plain', 'x-amz-meta-a': 'é' };
    const reply = await post(harness, { fields, file: 'hello' }, { access });
    const etag = `"${createHash('md5').update('hello').digest('hex')}"`;
    expect(reply).toMatchObject({ status: 204, headers: { etag } });
    expect(access.actions).toEqual([`s3:PutObject ${BUCKET}/k`]);
    const stored = await harness.get('k');
    expect(stored.bytes.toString()).toBe('hello');
    expect(stored.headers).toMatchObject({
      'content-type': 'text/plain',
      'x-amz-meta-a': '=?UTF-8?B?w6k=?=',
    });
  });

  it('advisory 15: POST is a write and needs the permission for it', async () => {
    const harness = await ready();
    const access = RecordedAccess.without('s3:PutObject');
    for (const fields of [{ key: 'k' }, signedFields(harness, { key: 'k' })]) {
      expect(await post(harness, { fields }, { access })).toMatchObject({
        status: 403,
        code: 'AccessDenied',
      });
    }
    expect(harness.dataPath.blobs.size).toBe(0);
    expect(await harness.get('k')).toMatchObject({ code: 'NoSuchKey' });
  });

  it('P-2: tags and ACL of a form are asked for like those of a PUT', async () => {
    const harness = await ready();
    const tagging = '<Tagging><TagSet><Tag><Key>a b</Key><Value>1</Value></Tag></TagSet></Tagging>';
    const fields = signedFields(harness, { key: 'k', tagging, acl: 'bucket-owner-full-control' });
    const access = new RecordedAccess();
    expect(await post(harness, { fields }, { access })).toMatchObject({ status: 204 });
    const conditions = { 's3:RequestObjectTagKeys': ['a b'], 's3:RequestObjectTag/a b': ['1'] };
    expect(access.asked).toEqual([
      { action: 's3:PutObject', target: `${BUCKET}/k`, conditions },
      { action: 's3:PutObjectAcl', target: `${BUCKET}/k`, conditions: {} },
      { action: 's3:PutObjectTagging', target: `${BUCKET}/k`, conditions },
    ]);
    const tags = documentOf(await harness.send('GetObjectTagging', { key: 'k' }));
    expect(texts(tags, 'TagSet', 'Tag', 'Key')).toEqual(['a b']);
    const denied = RecordedAccess.without('s3:PutObjectTagging');
    expect(await post(harness, { fields }, { access: denied })).toMatchObject({
      code: 'AccessDenied',
    });
  });

  it.each([
    ['the last part of a path', 'C:\\pictures\\my photo.jpg', 'up/my photo.jpg'],
    ['the whole name', 'a.txt', 'up/a.txt'],
    ['nothing special', "$&$'.txt", "up/$&$'.txt"],
  ])('G-12: ${filename} is %s', async (_what, filename, key) => {
    const harness = await ready();
    const fields = signedFields(
      harness,
      { key: 'up/${filename}' },
      {
        conditions: [{ bucket: BUCKET }, ['starts-with', '$key', 'up/'], ...SIGNING],
      },
    );
    expect(await post(harness, { fields, filename })).toMatchObject({ status: 204 });
    expect((await harness.get(key)).bytes.toString()).toBe('content');
  });

  it('G-12: answers as success_action_status says', async () => {
    const harness = await ready();
    const send = (status: string): Promise<Reply> =>
      post(harness, { fields: { key: 'a/b c', success_action_status: status } });
    expect(await send('200')).toMatchObject({ status: 200 });
    expect(await send('204')).toMatchObject({ status: 204 });
    expect(await send('299')).toMatchObject({ status: 204 });
    const created = await send('201');
    expect(created.status).toBe(201);
    const document = documentOf(created);
    expect(document.name).toBe('PostResponse');
    expect(text(document, 'Location')).toBe(`http://localhost:9000/${BUCKET}/a/b%20c`);
    expect(text(document, 'Bucket')).toBe(BUCKET);
    expect(text(document, 'Key')).toBe('a/b c');
    expect(text(document, 'ETag')).toBe(created.headers['etag']);
  });

  it('G-12: redirects with bucket, key and etag; not to what is no address', async () => {
    const harness = await ready();
    const send = (field: string, to: string): Promise<Reply> =>
      post(harness, { fields: { key: 'k', [field]: to } });
    const reply = await send('success_action_redirect', 'https://example.com/done?x=1');
    expect(reply.status).toBe(303);
    const location = new URL(reply.headers['location']!);
    expect(location.origin + location.pathname).toBe('https://example.com/done');
    expect(Object.fromEntries(location.searchParams)).toEqual({
      x: '1',
      bucket: BUCKET,
      key: 'k',
      etag: reply.headers['etag'],
    });
    expect(await send('redirect', 'http://example.com/')).toMatchObject({ status: 303 });
    for (const to of ['javascript:alert(1)', '/done', 'not an address', 'https://']) {
      expect(await send('success_action_redirect', to)).toMatchObject({ status: 204 });
    }
  });

  it('V-4: gives the version', async () => {
    const harness = await ready();
    await harness.setVersioning('enabled');
    const reply = await post(harness, { fields: { key: 'k' } });
    const head = await harness.send('HeadObject', { key: 'k' });
    expect(reply.headers['x-amz-version-id']).toBe(head.headers['x-amz-version-id']);
  });

  it.each(['SHA256', 'XXHASH128'] as const)(
    'KC-4: verifies the %s of a form',
    async (algorithm) => {
      const harness = await ready();
      const value = (await digestBytes(algorithm, Buffer.from('content'))).toString('base64');
      const right = { key: 'k', [checksumHeader(algorithm)]: value };
      expect(await post(harness, { fields: right })).toMatchObject({
        status: 204,
        headers: { [checksumHeader(algorithm)]: value },
      });
      const wrong = { ...right, key: 'other' };
      expect(await post(harness, { fields: wrong, file: 'changed' })).toMatchObject({
        status: 400,
        code: 'BadDigest',
      });
      expect(await harness.get('other')).toMatchObject({ code: 'NoSuchKey' });
    },
  );
});

describe('the signature of a form', () => {
  it('G-12: a signed form acts for its signer', async () => {
    const harness = await ready();
    const reply = await post(harness, { fields: signedFields(harness, { key: 'k' }) });
    expect(reply).toMatchObject({ status: 204 });
  });

  const tamperings: readonly (readonly [string, (fields: Fields) => Fields, string])[] = [
    [
      'another signature',
      (fields) => ({ ...fields, 'x-amz-signature': '0'.repeat(64) }),
      'SignatureDoesNotMatch',
    ],
    [
      'an empty signature',
      (fields) => ({ ...fields, 'x-amz-signature': '' }),
      'SignatureDoesNotMatch',
    ],
    [
      'another policy',
      (fields) => ({ ...fields, policy: Buffer.from('{}').toString('base64') }),
      'SignatureDoesNotMatch',
    ],
    [
      'an unknown key',
      (fields) => ({
        ...fields,
        'x-amz-credential': fields['x-amz-credential']!.replace(KEY_ID, 'AKIDOTHER'),
      }),
      'InvalidAccessKeyId',
    ],
    [
      'another region',
      (fields) => ({
        ...fields,
        'x-amz-credential': fields['x-amz-credential']!.replace(REGION, 'eu-west-3'),
      }),
      'AuthorizationQueryParametersError',
    ],
    ['no signature', ({ 'x-amz-signature': _, ...fields }) => fields, 'InvalidArgument'],
    ['no credential', ({ 'x-amz-credential': _, ...fields }) => fields, 'InvalidArgument'],
    ['no date', ({ 'x-amz-date': _, ...fields }) => fields, 'InvalidArgument'],
    ['no algorithm', ({ 'x-amz-algorithm': _, ...fields }) => fields, 'InvalidArgument'],
    ['no policy', ({ policy: _, ...fields }) => fields, 'InvalidArgument'],
    [
      'the algorithm none',
      (fields) => ({ ...fields, 'x-amz-algorithm': 'none' }),
      'InvalidRequest',
    ],
    [
      'Signature Version 2',
      ({ key, policy }) => ({ key: key!, policy: policy!, AWSAccessKeyId: KEY_ID, signature: 'x' }),
      'InvalidRequest',
    ],
  ];
  it.each(tamperings)('advisory 15, G-12: refuses %s', async (_what, tamper, code) => {
    const harness = await ready();
    const fields = tamper(signedFields(harness, { key: 'k' }));
    const reply = await post(harness, { fields });
    expect(reply.code).toBe(code);
    expect(await harness.get('k')).toMatchObject({ code: 'NoSuchKey' });
  });

  it('Signature Version 2 counts where it is switched on', async () => {
    const harness = await ready();
    const document = {
      expiration: new Date(harness.clock.wallMs() + 60_000).toISOString(),
      conditions: [{ bucket: BUCKET }, ['starts-with', '$key', '']],
    };
    const policy = Buffer.from(JSON.stringify(document)).toString('base64');
    const signature = createHmac('sha1', SECRET).update(policy).digest('base64');
    const access = new RecordedAccess();
    const send = (fields: Fields, isOn: boolean): Promise<Reply> =>
      post(
        harness,
        { fields: { key: 'k', policy, ...fields } },
        {
          access,
          authenticateForm: authenticateForm(harness, access, isOn),
        },
      );
    const signed = { AWSAccessKeyId: KEY_ID, signature };
    expect(await send(signed, false)).toMatchObject({ status: 400, code: 'InvalidRequest' });
    expect(await send(signed, true)).toMatchObject({ status: 204 });
    const forged = { ...signed, signature: `x${signature.slice(1)}` };
    expect(await send(forged, true)).toMatchObject({ code: 'SignatureDoesNotMatch' });
    const unknown = { ...signed, AWSAccessKeyId: 'AKIDOTHER' };
    expect(await send(unknown, true)).toMatchObject({ code: 'InvalidAccessKeyId' });
    expect(await send({ AWSAccessKeyId: KEY_ID }, true)).toMatchObject({ code: 'InvalidArgument' });
    expect(await send({ signature }, true)).toMatchObject({ code: 'InvalidArgument' });
  });

  it('G-11: the request itself must not be signed too', async () => {
    const harness = await ready();
    const fields = signedFields(harness, { key: 'k' });
    expect(await post(harness, { fields }, { principal: OWNER })).toMatchObject({
      status: 400,
      code: 'InvalidArgument',
    });
  });
});

describe('the policy of a form (advisory 16)', () => {
  const KEY: Condition = ['starts-with', '$key', 'user/'];
  const BUCKET_IS: Condition = { bucket: BUCKET };

  interface Case {
    readonly conditions: readonly Condition[];
    readonly fields?: Fields;
    readonly message: string | null;
  }
  const cases: Readonly<Record<string, Case>> = {
    'all conditions met': { conditions: [BUCKET_IS, KEY], message: null },
    'names and operators in any case': {
      conditions: [{ bUcKeT: BUCKET }, ['StArTs-WiTh', '$KeY', 'user/']],
      message: null,
    },
    'another key': {
      conditions: [BUCKET_IS, ['eq', '$key', 'user/other']],
      message: 'Policy Condition failed: ["eq","$key","user/other"]',
    },
    'a key outside the prefix': {
      conditions: [BUCKET_IS, ['starts-with', '$key', 'users/']],
      message: 'Policy Condition failed: ["starts-with","$key","users/"]',
    },
    'advisory 17: a policy for another bucket': {
      conditions: [{ bucket: 'other-bucket' }, KEY],
      message: 'Policy Condition failed: ["eq","$bucket","other-bucket"]',
    },
    'advisory 17: a policy for no bucket': {
      conditions: [KEY],
      message: 'Extra input fields: bucket',
    },
    'a field that the policy does not know': {
      conditions: [BUCKET_IS, KEY],
      fields: { 'x-amz-meta-extra': '1' },
      message: 'Extra input fields: x-amz-meta-extra',
    },
    'an ACL that the policy does not know': {
      conditions: [BUCKET_IS, KEY],
      fields: { acl: 'public-read' },
      message: 'Extra input fields: acl',
    },
    'a field to ignore': {
      conditions: [BUCKET_IS, KEY],
      fields: { 'x-ignore-this': '1' },
      message: null,
    },
    'a condition on a field that is missing': {
      conditions: [BUCKET_IS, KEY, { 'x-amz-meta-user': 'me' }],
      message: 'Policy Condition failed: ["eq","$x-amz-meta-user","me"]',
    },
    'any value of a field': {
      conditions: [BUCKET_IS, KEY, ['starts-with', '$Content-Type', '']],
      fields: { 'Content-Type': 'image/png' },
      message: null,
    },
    'each of a list of content types': {
      conditions: [BUCKET_IS, KEY, ['starts-with', '$Content-Type', 'image/']],
      fields: { 'Content-Type': 'image/png, text/html' },
      message: 'Policy Condition failed: ["starts-with","$content-type","image/"]',
    },
    'a value that differs in case': {
      conditions: [BUCKET_IS, KEY, { 'x-amz-meta-a': 'Me' }],
      fields: { 'x-amz-meta-a': 'me' },
      message: 'Policy Condition failed: ["eq","$x-amz-meta-a","Me"]',
    },
  };
  it.each(Object.entries(cases))(
    'G-12: %s',
    async (_what, { conditions, fields = {}, message }) => {
      const harness = await ready();
      const all = signedFields(
        harness,
        { key: 'user/k', ...fields },
        {
          conditions: [...conditions, ...SIGNING],
        },
      );
      const reply = await post(harness, { fields: all });
      if (message === null) {
        expect(reply).toMatchObject({ status: 204, code: null });
      } else {
        expect(reply).toMatchObject({
          status: 403,
          code: 'AccessDenied',
          message: `Invalid according to Policy: ${message}`,
        });
        expect(await harness.get('user/k')).toMatchObject({ code: 'NoSuchKey' });
      }
    },
  );

  it('advisory 17: the bucket field cannot name another bucket', async () => {
    const harness = await ready();
    const fields = signedFields(harness, { key: 'k', bucket: 'other-bucket' });
    expect(await post(harness, { fields })).toMatchObject({ status: 400, code: 'InvalidArgument' });
    const same = signedFields(harness, { key: 'k', bucket: BUCKET });
    expect(await post(harness, { fields: same })).toMatchObject({ status: 204 });
  });

  it('G-12: an expired policy allows nothing', async () => {
    const harness = await ready();
    const fields = signedFields(harness, { key: 'k' });
    harness.clock.advance(60_000);
    expect(await post(harness, { fields })).toMatchObject({
      status: 403,
      code: 'AccessDenied',
      message: 'Invalid according to Policy: Policy expired.',
    });
  });

  const EXPIRATION = '2030-01-01T00:00:00Z';
  it.each([
    ['not JSON', 'x'],
    ['no expiration', '{"conditions":[]}'],
    ['no conditions', `{"expiration":"${EXPIRATION}"}`],
    ['EXPIRATION', `{"EXPIRATION":"${EXPIRATION}","conditions":[]}`],
    ['CONDITIONS', `{"expiration":"${EXPIRATION}","CONDITIONS":[]}`],
    ['another date format', '{"expiration":"Fri, 02 Jan 2030 03:04:05 GMT","conditions":[]}'],
    ['a date that does not exist', '{"expiration":"2030-13-41T00:00:00Z","conditions":[]}'],
    ['an empty condition', `{"expiration":"${EXPIRATION}","conditions":[{}]}`],
    ['two in one condition', `{"expiration":"${EXPIRATION}","conditions":[{"a":"1","b":"2"}]}`],
    [
      'an unknown operator',
      `{"expiration":"${EXPIRATION}","conditions":[["ends-with","$key","x"]]}`,
    ],
    ['a field without dollar', `{"expiration":"${EXPIRATION}","conditions":[["eq","key","x"]]}`],
    [
      'a range with one end',
      `{"expiration":"${EXPIRATION}","conditions":[["content-length-range",0]]}`,
    ],
    [
      'a negative range',
      `{"expiration":"${EXPIRATION}","conditions":[["content-length-range",-1,0]]}`,
    ],
    ['a list', '[]'],
  ])('G-12: refuses a policy with %s', async (_what, document) => {
    const harness = await ready();
    const fields = signedFields(harness, { key: 'k' }, { text: document });
    expect(await post(harness, { fields })).toMatchObject({
      status: 400,
      code: 'InvalidPolicyDocument',
      message: expect.stringMatching(/^Invalid Policy: ./) as string,
    });
  });

  it.each([
    [6, 6, null],
    [7, 7, null],
    [0, 100, null],
    [8, 100, 'EntityTooSmall'],
    [0, 6, 'EntityTooLarge'],
    [9, 3, 'EntityTooLarge'],
  ])('G-12: content-length-range %d to %d', async (min, max, code) => {
    const harness = await ready();
    const file = code === null && max === 6 ? 'conten' : 'content';
    const fields = signedFields(
      harness,
      { key: 'k' },
      {
        conditions: [
          { bucket: BUCKET },
          ['starts-with', '$key', ''],
          ['content-length-range', min, max],
          ...SIGNING,
        ],
      },
    );
    const reply = await post(harness, { fields, file });
    expect(reply.code).toBe(code);
    expect(reply.status).toBe(code === null ? 204 : 400);
    expect(harness.dataPath.blobs.size).toBe(0);
  });

  it('`\\$` is a dollar sign, as the documentation escapes it', async () => {
    const harness = await ready();
    const conditions = [{ bucket: BUCKET }, ...SIGNING].map((one) => JSON.stringify(one)).join(',');
    const document = `{"expiration":"${EXPIRATION}","conditions":[${conditions},["eq","$key","\\$5"]]}`;
    const fields = signedFields(harness, { key: '$5' }, { text: document });
    expect(await post(harness, { fields })).toMatchObject({ status: 204 });
  });
});

describe('malformed forms', () => {
  const ONE_FILE = 'POST requires exactly one file upload per request.';

  it('G-12: exactly one file', async () => {
    const harness = await ready();
    expect(await post(harness, { fields: { key: 'k' }, file: null })).toMatchObject({
      status: 400,
      code: 'InvalidArgument',
      message: ONE_FILE,
    });
    const twice = await post(harness, { fields: { key: 'k' }, after: { file: 'again' } });
    expect(twice).toMatchObject({ status: 400, code: 'InvalidArgument', message: ONE_FILE });
    expect(await harness.get('k')).toMatchObject({ code: 'NoSuchKey' });
  });

  it('G-12: fields behind the file do not count', async () => {
    const harness = await ready();
    const after = { key: 'other', submit: 'Upload', 'x-amz-meta-a': '1' };
    expect(await post(harness, { fields: { key: 'k' }, after })).toMatchObject({ status: 204 });
    expect((await harness.get('k')).headers).not.toHaveProperty('x-amz-meta-a');
    const late = await post(harness, { fields: {}, after: { key: 'k' } });
    expect(late).toMatchObject({
      status: 400,
      code: 'InvalidArgument',
      message:
        "Bucket POST must contain a field named 'key'.  If it is specified, please check the " +
        'order of the fields.',
    });
  });

  it.each<[Fields, string]>([
    [{ key: '' }, 'InvalidArgument'],
    [{ key: 'k'.repeat(1025) }, 'KeyTooLongError'],
    [{ key: 'k', 'x-amz-storage-class': 'WARM' }, 'InvalidStorageClass'],
    [{ key: 'k', acl: 'public-read' }, 'AccessControlListNotSupported'],
    [{ key: 'k', tagging: '<x/>' }, 'MalformedXML'],
    [{ key: 'k', 'x-amz-meta-a': 'x'.repeat(2048) }, 'MetadataTooLarge'],
    [{ key: 'k', 'Content-Type': 'text/plain\r\nx-injected: 1' }, 'InvalidArgument'],
    [{ key: 'k', 'x-amz-website-redirect-location': 'x' }, 'InvalidRedirectLocation'],
    [{ key: 'k', Key: 'other' }, 'InvalidArgument'],
    [{ key: 'k', 'Content-Type': 'x'.repeat(8200) }, 'RequestHeaderSectionTooLarge'],
    [{ key: 'k', 'x-amz-server-side-encryption': 'AES256' }, 'NotImplemented'],
  ])('G-12, G-13: %j → %s', async (fields, code) => {
    const harness = await ready();
    expect((await post(harness, { fields })).code).toBe(code);
    expect(harness.dataPath.blobs.size).toBe(0);
  });

  it('refuses other types, forms without length, and buckets that are not there', async () => {
    const harness = await ready();
    const form = { fields: { key: 'k' } };
    const urlEncoded = { 'content-type': 'application/x-www-form-urlencoded' };
    expect(await post(harness, form, { headers: urlEncoded })).toMatchObject({
      status: 412,
      code: 'PreconditionFailed',
      detail: { Condition: 'Bucket POST must be of the enclosure-type multipart/form-data' },
    });
    expect(await post(harness, form, { sizeBytes: null })).toMatchObject({ status: 411 });
    expect(await post(harness, form, { bucket: 'missing-bucket' })).toMatchObject({ status: 404 });
  });
});

describe('large files of forms', () => {
  const sizes = [0, 1, 64, 65, 8192, FORM_BYTES_MAX - 1, FORM_BYTES_MAX + 8193, 3_000_001];
  it.each(sizes)('G-12: a file of %d bytes is stored exactly', async (sizeBytes) => {
    const harness = await ready();
    const file = Buffer.alloc(sizeBytes);
    for (let at = 0; at < sizeBytes; at += 97) file[at] = at % 251;
    const reply = await post(harness, { fields: { key: 'k' }, file, after: { submit: 'x' } });
    expect(reply).toMatchObject({ status: 204 });
    const stored = await harness.get('k');
    expect(stored.bytes.equals(file)).toBe(true);
    expect(stored.headers['etag']).toBe(`"${createHash('md5').update(file).digest('hex')}"`);
    expect(harness.dataPath.blobs.size).toBeLessThanOrEqual(2);
  });

  it('G-12: around the length from which on two blobs are needed', async () => {
    const harness = await ready();
    const fields = { key: 'k' };
    for (let less = 0; less < 2000; less += 50) {
      const file = Buffer.alloc(FORM_BYTES_MAX + 8193 - less, less);
      expect(await post(harness, { fields, file })).toMatchObject({ status: 204, code: null });
    }
    expect((await harness.get('k')).bytes.length).toBe(FORM_BYTES_MAX + 8193 - 1950);
  });

  it('G-12: a file that is too large is refused before it is stored', async () => {
    const harness = await ready();
    const conditions = [
      { bucket: BUCKET },
      ['starts-with', '$key', ''],
      ['content-length-range', 0, 1000],
      ...SIGNING,
    ];
    const fields = signedFields(harness, { key: 'k' }, { conditions });
    const reply = await post(harness, { fields, file: Buffer.alloc(3_000_000) });
    expect(reply).toMatchObject({ status: 400, code: 'EntityTooLarge' });
    expect(harness.dataPath.blobs.size).toBe(0);
  });

  it('limits: a file that ends early, with more behind it than fields may be', async () => {
    const harness = await ready();
    const after = { padding: 'x'.repeat(3 * FORM_BYTES_MAX) };
    const reply = await post(harness, { fields: { key: 'k' }, file: 'short', after });
    expect(reply).toMatchObject({ status: 400, code: 'MaxPostPreDataLengthExceededError' });
    expect(harness.dataPath.blobs.size).toBe(0);
    expect(await harness.get('k')).toMatchObject({ code: 'NoSuchKey' });
  });

  it('limits: many variables and a long name make no more of a form than a form may be', async () => {
    const harness = await ready();
    const access = new RecordedAccess();
    const filename = 'n'.repeat(7000);
    const fields = { key: 'k', 'x-ignore-a': '${filename}'.repeat(90_000) };
    const reply = await post(harness, { fields, filename }, { access });
    expect(reply).toMatchObject({ status: 400, code: 'MaxPostPreDataLengthExceededError' });
    const few = { key: 'k', 'x-ignore-a': '${filename}'.repeat(100) };
    expect(await post(harness, { fields: few, filename }, { access })).toMatchObject({
      status: 204,
    });
  });

  it('G-15, limits: of many forms at once the last are asked to wait', async () => {
    const harness = await ready();
    const write = harness.dataPath.write.bind(harness.dataPath);
    let release = (): void => undefined;
    const isReleased = new Promise<void>((resolve) => (release = resolve));
    harness.dataPath.write = async (...args) => {
      await isReleased;
      return write(...args);
    };
    const forms = Array.from({ length: 64 }, (_, index) =>
      post(harness, { fields: { key: `k${index}` } }),
    );
    const refused = await post(harness, { fields: { key: 'one more' } });
    expect(refused).toMatchObject({ status: 503, code: 'SlowDown' });
    expect(refused.headers['retry-after']).toBeDefined();
    release();
    for (const reply of await Promise.all(forms)) expect(reply.status).toBe(204);
    expect(await post(harness, { fields: { key: 'one more' } })).toMatchObject({ status: 204 });
  });

  it('a form that is cut short stores nothing', async () => {
    const harness = await ready();
    const whole = encodeForm({ fields: { key: 'k' }, file: Buffer.alloc(200_000, 7) });
    const reply = await post(harness, {}, { body: whole.subarray(0, 150_000) });
    expect(reply).toMatchObject({ status: 400, code: 'MalformedPOSTRequest' });
    expect(harness.dataPath.blobs.size).toBe(0);
  });
});
