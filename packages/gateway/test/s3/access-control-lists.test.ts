import { createHash } from 'node:crypto';

import type { Principal } from '../../src/auth/principal';
import { ANONYMOUS_CANONICAL_ID } from '../../src/auth/principal';
import { ALL_USERS_URI, AUTHENTICATED_USERS_URI } from '../../src/s3/access-control-list';
import { chargedHeaders } from '../../src/s3/bucket-access';
import type { Call, Reply } from './harness';
import { BUCKET, documentOf, Harness, OWNER, STRANGER, text, texts } from './harness';

const OPEN = {
  'public-access-block': JSON.stringify({
    blockPublicAcls: false,
    ignorePublicAcls: false,
    blockPublicPolicy: false,
    restrictPublicBuckets: false,
  }),
};

/** A bucket with ACLs, nothing of it blocked, and a second account with an e-mail address. */
async function made(ownership = 'ObjectWriter'): Promise<Harness> {
  const harness = await Harness.create();
  await harness.send('CreateBucket', { headers: { 'x-amz-object-ownership': ownership } });
  for (const [configuration, document] of Object.entries(OPEN)) {
    await configure(harness, configuration, document);
  }
  await addStranger(harness);
  return harness;
}

async function configure(harness: Harness, configuration: string, document: string): Promise<void> {
  const { name, bucketId } = (await harness.metadata.view.bucket(BUCKET))!;
  await harness.metadata.root('SetBucketConfiguration', {
    name,
    bucketId,
    configuration,
    document,
  });
}

async function addStranger(harness: Harness): Promise<void> {
  const { accountId, canonicalId, displayName } = STRANGER;
  const record = {
    accountId,
    canonicalId,
    displayName,
    email: 'stranger@example.test',
    createdMs: 0,
    isDeclared: false,
    publicAccessBlock: null,
  };
  await harness.metadata.root('CommitIdentities', {
    expectedRevision: harness.metadata.view.identities().revision,
    changes: [{ kind: 'account', name: accountId, record }],
  });
}

/** `FULL_CONTROL 1111…`, in the order of the document. */
function grantsOf(reply: Reply): string[] {
  const root = documentOf(reply);
  const [list] = root.children.filter(({ name }) => name === 'AccessControlList');
  return list!.children.map((grant) => {
    const who = text(grant, 'Grantee', 'ID') ?? text(grant, 'Grantee', 'URI');
    return `${text(grant, 'Permission')} ${who}`;
  });
}

function policy(grants: string, owner: Principal = OWNER): string {
  return (
    `<AccessControlPolicy><Owner><ID>${owner.canonicalId}</ID></Owner>` +
    `<AccessControlList>${grants}</AccessControlList></AccessControlPolicy>`
  );
}

function grant(grantee: string, permission: string): string {
  return (
    '<Grant><Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" ' +
    `xsi:type="CanonicalUser">${grantee}</Grantee><Permission>${permission}</Permission></Grant>`
  );
}

const FULL = `FULL_CONTROL ${OWNER.canonicalId}`;

describe('canned ACLs', () => {
  it.each([
    ['private', [FULL]],
    ['public-read', [FULL, `READ ${ALL_USERS_URI}`]],
    ['public-read-write', [FULL, `READ ${ALL_USERS_URI}`, `WRITE ${ALL_USERS_URI}`]],
    ['authenticated-read', [FULL, `READ ${AUTHENTICATED_USERS_URI}`]],
    [
      'log-delivery-write',
      [
        FULL,
        'WRITE http://acs.amazonaws.com/groups/s3/LogDelivery',
        'READ_ACP http://acs.amazonaws.com/groups/s3/LogDelivery',
      ],
    ],
    ['bucket-owner-read', [FULL]],
    ['bucket-owner-full-control', [FULL]],
    ['aws-exec-read', [FULL]],
  ])('P-8: %s of a bucket', async (acl, grants) => {
    const harness = await made();
    const reply = await harness.send('PutBucketAcl', { headers: { 'x-amz-acl': acl } });
    expect(reply).toMatchObject({ status: 200 });
    expect(grantsOf(await harness.send('GetBucketAcl'))).toEqual(grants);
  });

  it.each([
    ['private', [`FULL_CONTROL ${STRANGER.canonicalId}`]],
    ['bucket-owner-read', [`FULL_CONTROL ${STRANGER.canonicalId}`, `READ ${OWNER.canonicalId}`]],
    ['bucket-owner-full-control', [`FULL_CONTROL ${STRANGER.canonicalId}`, FULL]],
  ])('P-8: %s of an object whose writer owns it', async (acl, grants) => {
    const harness = await made();
    const headers = { 'x-amz-acl': acl };
    await harness.put('a', 'x', { headers, principal: STRANGER });
    const reply = await harness.send('GetObjectAcl', { key: 'a' });
    expect(text(documentOf(reply), 'Owner', 'ID')).toBe(STRANGER.canonicalId);
    expect(grantsOf(reply)).toEqual(grants);
  });

  it('P-8: BucketOwnerPreferred takes over what comes with bucket-owner-full-control', async () => {
    const harness = await made('BucketOwnerPreferred');
    const headers = { 'x-amz-acl': 'bucket-owner-full-control' };
    await harness.put('given', 'x', { headers, principal: STRANGER });
    await harness.put('kept', 'x', { principal: STRANGER });
    const owner = async (key: string): Promise<string | null> =>
      text(documentOf(await harness.send('GetObjectAcl', { key })), 'Owner', 'ID');
    expect(await owner('given')).toBe(OWNER.canonicalId);
    expect(await owner('kept')).toBe(STRANGER.canonicalId);
  });

  it.each([
    ['PutBucketAcl', 'everybody'],
    ['PutObjectAcl', 'log-delivery-write'],
  ])('%s refuses %s', async (operation, acl) => {
    const harness = await made();
    await harness.put('a', 'x');
    const reply = await harness.send(operation, { key: 'a', headers: { 'x-amz-acl': acl } });
    expect(reply).toMatchObject({ status: 400, code: 'InvalidArgument' });
  });
});

describe('grants', () => {
  const cases: [string, Call['headers'], string | null, string[]][] = [
    [
      'by id, several and quoted',
      {
        'x-amz-grant-full-control': `id=${OWNER.canonicalId}`,
        'x-amz-grant-read': `id="${STRANGER.canonicalId}", uri="${ALL_USERS_URI}"`,
        'x-amz-grant-write-acp': `id="${STRANGER.canonicalId}"`,
      },
      null,
      [
        FULL,
        `READ ${STRANGER.canonicalId}`,
        `READ ${ALL_USERS_URI}`,
        `WRITE_ACP ${STRANGER.canonicalId}`,
      ],
    ],
    [
      'by e-mail address',
      { 'x-amz-grant-read': 'emailAddress="Stranger@example.test"' },
      null,
      [`READ ${STRANGER.canonicalId}`],
    ],
    ['to an unknown id', { 'x-amz-grant-read': `id=${'9'.repeat(64)}` }, 'InvalidArgument', [FULL]],
    ['to an unknown group', { 'x-amz-grant-read': 'uri=http://x' }, 'InvalidArgument', [FULL]],
    [
      'to an unknown e-mail address',
      { 'x-amz-grant-read': 'emailAddress=nobody@example.test' },
      'UnresolvableGrantByEmailAddress',
      [FULL],
    ],
    ['without form', { 'x-amz-grant-read': 'everybody' }, 'InvalidArgument', [FULL]],
    [
      'beside a canned ACL',
      { 'x-amz-grant-read': `id=${OWNER.canonicalId}`, 'x-amz-acl': 'private' },
      'InvalidRequest',
      [FULL],
    ],
  ];

  it.each(cases)('in headers %s', async (_name, headers, code, grants) => {
    const harness = await made();
    await harness.put('a', 'x');
    for (const [resource, key] of [
      ['Bucket', null],
      ['Object', 'a'],
    ] as const) {
      const call = { key, headers: headers ?? {} };
      expect((await harness.send(`Put${resource}Acl`, call)).code).toBe(code);
      expect(grantsOf(await harness.send(`Get${resource}Acl`, { key }))).toEqual(grants);
    }
  });

  it('in a document come back as they went in', async () => {
    const harness = await made();
    await harness.put('a', 'x');
    const body = policy(
      grant(`<ID>${STRANGER.canonicalId}</ID>`, 'READ_ACP') +
        grant(`<URI>${ALL_USERS_URI}</URI>`, 'READ') +
        grant('<EmailAddress>stranger@example.test</EmailAddress>', 'WRITE') +
        grant(`<ID>${ANONYMOUS_CANONICAL_ID}</ID>`, 'READ'),
    );
    for (const [resource, key] of [
      ['Bucket', null],
      ['Object', 'a'],
    ] as const) {
      expect(await harness.send(`Put${resource}Acl`, { key, body })).toMatchObject({ code: null });
      const read = await harness.send(`Get${resource}Acl`, { key });
      expect(grantsOf(read)).toEqual([
        `READ_ACP ${STRANGER.canonicalId}`,
        `READ ${ALL_USERS_URI}`,
        `WRITE ${STRANGER.canonicalId}`,
        `READ ${ANONYMOUS_CANONICAL_ID}`,
      ]);
      expect(read.bytes.toString()).toContain('xsi:type="CanonicalUser"');
      // What was read is accepted as it is.
      const again = await harness.send(`Put${resource}Acl`, { key, body: read.bytes });
      expect(again).toMatchObject({ code: null });
    }
  });

  it.each([
    ['no document', 'x', 'MalformedACLError'],
    ['another root', '<Policy/>', 'MalformedACLError'],
    ['no list', '<AccessControlPolicy/>', 'MalformedACLError'],
    ['an unknown permission', policy(grant('<ID>a</ID>', 'EVERYTHING')), 'MalformedACLError'],
    ['no grantee', policy('<Grant><Permission>READ</Permission></Grant>'), 'MalformedACLError'],
    [
      'two names of one grantee',
      policy(grant(`<ID>${OWNER.canonicalId}</ID><URI>${ALL_USERS_URI}</URI>`, 'READ')),
      'MalformedACLError',
    ],
    [
      'more than a hundred grants',
      policy(grant(`<ID>${OWNER.canonicalId}</ID>`, 'READ').repeat(101)),
      'MalformedACLError',
    ],
    ['another owner', policy('', STRANGER), 'AccessDenied'],
    ['an unknown id', policy(grant(`<ID>${'9'.repeat(64)}</ID>`, 'READ')), 'InvalidArgument'],
    ['a line end in a name', policy(grant('<ID>a&#13;&#10;b</ID>', 'READ')), 'InvalidArgument'],
  ])('in a document with %s: %3$s', async (_name, body, code) => {
    const harness = await made();
    expect((await harness.send('PutBucketAcl', { body })).code).toBe(code);
  });

  it('must be given once: in headers or as a document', async () => {
    const harness = await made();
    expect(await harness.send('PutBucketAcl', {})).toMatchObject({
      code: 'MissingSecurityHeader',
    });
    const both = { headers: { 'x-amz-acl': 'private' }, body: policy('') };
    expect(await harness.send('PutBucketAcl', both)).toMatchObject({ code: 'UnexpectedContent' });
  });
});

describe('ACLs of versions', () => {
  it('V-23: changing one makes no version and touches neither ETag nor date', async () => {
    const harness = await made();
    await harness.setVersioning('enabled');
    const first = await harness.put('a', 'one');
    await harness.put('a', 'two');
    const versionId = first.headers['x-amz-version-id']!;
    const before = await harness.get('a', { query: { versionId } });
    harness.clock.advance(5_000);
    const call = { key: 'a', query: { versionId }, headers: { 'x-amz-acl': 'public-read' } };
    const reply = await harness.send('PutObjectAcl', call);
    expect(reply).toMatchObject({ status: 200, headers: { 'x-amz-version-id': versionId } });
    const after = await harness.get('a', { query: { versionId } });
    expect(after.headers['etag']).toBe(before.headers['etag']);
    expect(after.headers['last-modified']).toBe(before.headers['last-modified']);
    const current = await harness.send('GetObjectAcl', { key: 'a' });
    expect(grantsOf(current)).toEqual([FULL]);
    const old = await harness.send('GetObjectAcl', { key: 'a', query: { versionId } });
    expect(grantsOf(old)).toEqual([FULL, `READ ${ALL_USERS_URI}`]);
  });

  it('V-23: what somebody else writes in between keeps its own', async () => {
    const harness = await made();
    await harness.put('a', 'one');
    const index = harness.metadata.index.bind(harness.metadata);
    harness.metadata.index = async (group, name, ...rest) => {
      if (name === 'UpdateVersion') {
        harness.metadata.index = index;
        await harness.put('a', 'two');
      }
      return index(group, name, ...rest);
    };
    const call = { key: 'a', headers: { 'x-amz-acl': 'public-read' } };
    const reply = await harness.send('PutObjectAcl', call);
    expect(reply).toMatchObject({ status: 409, code: 'OperationAborted' });
    expect(grantsOf(await harness.send('GetObjectAcl', { key: 'a' }))).toEqual([FULL]);
    expect((await harness.get('a')).bytes.toString()).toBe('two');
  });

  it('V-11: a delete marker has none', async () => {
    const harness = await made();
    await harness.setVersioning('enabled');
    const marker = await harness.send('DeleteObject', { key: 'a' });
    const query = { versionId: marker.headers['x-amz-version-id']! };
    for (const name of ['GetObjectAcl', 'PutObjectAcl']) {
      const call = { key: 'a', headers: { 'x-amz-acl': 'private' } };
      expect(await harness.send(name, { ...call, query })).toMatchObject({ status: 405 });
      expect(await harness.send(name, call)).toMatchObject({ code: 'NoSuchKey' });
    }
  });
});

describe('ownership', () => {
  it('P-8: new buckets have no ACLs and are closed to the public', async () => {
    const harness = await Harness.create();
    await harness.bucket();
    const controls = documentOf(await harness.send('GetBucketOwnershipControls'));
    expect(text(controls, 'Rule', 'ObjectOwnership')).toBe('BucketOwnerEnforced');
    const block = documentOf(await harness.send('GetPublicAccessBlock'));
    expect(block.children.map((flag) => flag.text)).toEqual(['true', 'true', 'true', 'true']);
    expect(grantsOf(await harness.send('GetBucketAcl'))).toEqual([FULL]);
  });

  it.each([
    [{ 'x-amz-acl': 'public-read' }, 'InvalidBucketAclWithObjectOwnership'],
    [{ 'x-amz-grant-read': `uri=${ALL_USERS_URI}` }, 'InvalidBucketAclWithObjectOwnership'],
    [
      { 'x-amz-acl': 'public-read', 'x-amz-object-ownership': 'BucketOwnerEnforced' },
      'InvalidBucketAclWithObjectOwnership',
    ],
    [
      { 'x-amz-acl': 'public-read', 'x-amz-object-ownership': 'ObjectWriter' },
      'InvalidBucketAclWithBlockPublicAccessError',
    ],
    [{ 'x-amz-acl': 'log-delivery-write', 'x-amz-object-ownership': 'ObjectWriter' }, null],
    [{ 'x-amz-acl': 'private' }, null],
    [{ 'x-amz-object-ownership': 'Nobody' }, 'InvalidArgument'],
  ])('P-8: CreateBucket with %j → %s', async (headers: Record<string, string>, code) => {
    const reply = await (await Harness.create()).send('CreateBucket', { headers });
    expect(reply.code).toBe(code);
  });

  it('P-8: BucketOwnerEnforced refuses every ACL but what is so anyway', async () => {
    const harness = await made('BucketOwnerEnforced');
    await harness.put('a', 'x');
    const own = policy(grant(`<ID>${OWNER.canonicalId}</ID>`, 'FULL_CONTROL'));
    for (const [name, key] of [
      ['PutBucketAcl', null],
      ['PutObjectAcl', 'a'],
    ] as const) {
      const canned = (acl: string): Promise<Reply> =>
        harness.send(name, { key, headers: { 'x-amz-acl': acl } });
      expect(await canned('bucket-owner-full-control')).toMatchObject({ status: 200 });
      expect(await harness.send(name, { key, body: own })).toMatchObject({ status: 200 });
      for (const acl of ['private', 'public-read', 'authenticated-read']) {
        expect(await canned(acl)).toMatchObject({
          status: 400,
          code: 'AccessControlListNotSupported',
          message: 'The bucket does not allow ACLs.',
        });
      }
    }
    const put = async (acl: string, principal: Principal): Promise<string | null> =>
      (await harness.put('b', 'x', { headers: { 'x-amz-acl': acl }, principal })).code;
    expect(await put('bucket-owner-full-control', STRANGER)).toBeNull();
    expect(await put('private', OWNER)).toBeNull();
    expect(await put('private', STRANGER)).toBe('AccessControlListNotSupported');
    expect(await put('public-read', OWNER)).toBe('AccessControlListNotSupported');
  });

  it("P-8: what others wrote under BucketOwnerEnforced is the bucket owner's", async () => {
    const harness = await made('BucketOwnerEnforced');
    await harness.put('a', 'x', { principal: STRANGER });
    const reply = await harness.send('GetObjectAcl', { key: 'a' });
    expect(text(documentOf(reply), 'Owner', 'ID')).toBe(OWNER.canonicalId);
    expect(grantsOf(reply)).toEqual([FULL]);
  });

  it('P-8: ACLs cannot be disabled while the bucket has grants to others', async () => {
    const harness = await made();
    await harness.send('PutBucketAcl', { headers: { 'x-amz-acl': 'public-read' } });
    const body =
      '<OwnershipControls><Rule><ObjectOwnership>BucketOwnerEnforced</ObjectOwnership></Rule>' +
      '</OwnershipControls>';
    const headers = { 'content-md5': createHash('md5').update(body).digest('base64') };
    const refused = await harness.send('PutBucketOwnershipControls', { body, headers });
    expect(refused).toMatchObject({ status: 400, code: 'InvalidBucketAclWithObjectOwnership' });
    await harness.send('PutBucketAcl', { headers: { 'x-amz-acl': 'private' } });
    expect(await harness.send('PutBucketOwnershipControls', { body, headers })).toMatchObject({
      status: 200,
    });
  });

  it('P-8: the ACLs of objects are hidden while ACLs are disabled, and come back', async () => {
    const harness = await made();
    await harness.put('a', 'x', { headers: { 'x-amz-acl': 'public-read' }, principal: STRANGER });
    const shown = async (): Promise<string[]> =>
      grantsOf(await harness.send('GetObjectAcl', { key: 'a' }));
    const own = [`FULL_CONTROL ${STRANGER.canonicalId}`, `READ ${ALL_USERS_URI}`];
    expect(await shown()).toEqual(own);
    await configure(harness, 'ownership', JSON.stringify('BucketOwnerEnforced'));
    expect(await shown()).toEqual([FULL]);
    await configure(harness, 'ownership', JSON.stringify('ObjectWriter'));
    expect(await shown()).toEqual(own);
  });
});

describe('Block Public Access', () => {
  const flags = (on: string): string =>
    JSON.stringify({
      blockPublicAcls: on === 'blockPublicAcls',
      ignorePublicAcls: on === 'ignorePublicAcls',
      blockPublicPolicy: on === 'blockPublicPolicy',
      restrictPublicBuckets: on === 'restrictPublicBuckets',
    });

  it.each(['public-read', 'public-read-write', 'authenticated-read'])(
    'P-5, P-7: BlockPublicAcls refuses %s wherever it is put',
    async (acl) => {
      const harness = await made();
      await harness.put('a', 'x');
      await configure(harness, 'public-access-block', flags('blockPublicAcls'));
      const headers = { 'x-amz-acl': acl };
      for (const name of ['PutBucketAcl', 'PutObjectAcl', 'PutObject', 'CreateMultipartUpload']) {
        expect(await harness.send(name, { key: 'a', headers })).toMatchObject({
          status: 403,
          code: 'AccessDenied',
        });
      }
      const grants = { 'x-amz-grant-read': `uri=${AUTHENTICATED_USERS_URI}` };
      expect(await harness.send('PutBucketAcl', { headers: grants })).toMatchObject({
        status: 403,
      });
      const others = { 'x-amz-grant-read': `id=${STRANGER.canonicalId}` };
      expect(await harness.send('PutBucketAcl', { headers: others })).toMatchObject({
        status: 200,
      });
    },
  );

  it('P-5: IgnorePublicAcls keeps public grants, but does not show them', async () => {
    const harness = await made();
    await harness.send('PutBucketAcl', { headers: { 'x-amz-acl': 'public-read' } });
    await configure(harness, 'public-access-block', flags('ignorePublicAcls'));
    expect(grantsOf(await harness.send('GetBucketAcl'))).toEqual([FULL]);
    await configure(harness, 'public-access-block', flags('none'));
    expect(grantsOf(await harness.send('GetBucketAcl'))).toEqual([FULL, `READ ${ALL_USERS_URI}`]);
  });

  it('P-5: what the account blocks is blocked in all its buckets, and only for itself', async () => {
    const harness = await made();
    const account = { 'x-amz-account-id': OWNER.accountId };
    const call = { bucket: null, headers: account };
    const none = await harness.send('GetAccountPublicAccessBlock', call);
    expect(none).toMatchObject({ status: 404, code: 'NoSuchPublicAccessBlockConfiguration' });
    const body =
      '<PublicAccessBlockConfiguration xmlns="http://awss3control.amazonaws.com/doc/2018-08-20/">' +
      '<BlockPublicAcls>true</BlockPublicAcls></PublicAccessBlockConfiguration>';
    expect(await harness.send('PutAccountPublicAccessBlock', { ...call, body })).toMatchObject({
      status: 201,
    });
    const read = documentOf(await harness.send('GetAccountPublicAccessBlock', call));
    expect(text(read, 'BlockPublicAcls')).toBe('true');
    expect(text(read, 'IgnorePublicAcls')).toBe('false');
    const acl = { headers: { 'x-amz-acl': 'public-read' } };
    expect(await harness.send('PutBucketAcl', acl)).toMatchObject({ status: 403 });

    expect(await harness.send('DeleteAccountPublicAccessBlock', call)).toMatchObject({
      status: 204,
    });
    expect(await harness.send('PutBucketAcl', acl)).toMatchObject({ status: 200 });
    for (const [id, code] of [
      [STRANGER.accountId, 'AccessDenied'],
      ['x', 'InvalidArgument'],
    ]) {
      const other = { bucket: null, headers: { 'x-amz-account-id': id! } };
      expect(await harness.send('GetAccountPublicAccessBlock', other)).toMatchObject({ code });
    }
  });
});

describe('the owner of a bucket', () => {
  it.each([
    [OWNER.accountId, 200, null],
    [STRANGER.accountId, 403, 'AccessDenied'],
    ['me', 400, 'InvalidBucketOwnerAWSAccountID'],
    [OWNER.canonicalId, 200, null],
  ])('x-amz-expected-bucket-owner: %s → %d', async (expected, status, code) => {
    const harness = await made();
    await harness.put('a', 'x');
    const headers = { 'x-amz-expected-bucket-owner': expected };
    for (const name of ['HeadBucket', 'GetBucketAcl', 'ListObjectsV2', 'GetObject']) {
      expect(await harness.send(name, { key: 'a', headers })).toMatchObject({ status, code });
    }
    const source = {
      'x-amz-copy-source': `/${BUCKET}/a`,
      'x-amz-source-expected-bucket-owner': expected,
    };
    expect(await harness.send('CopyObject', { key: 'b', headers: source })).toMatchObject({
      status,
      code,
    });
  });

  it('whose requester pays lets others in who say so', async () => {
    const harness = await made();
    await harness.put('a', 'x');
    await configure(harness, 'request-payment', JSON.stringify('Requester'));
    const get = async (call: Call): Promise<number> => (await harness.get('a', call)).status;
    const payer = { 'x-amz-request-payer': 'requester' };
    expect(await get({})).toBe(200);
    expect(await get({ principal: STRANGER })).toBe(403);
    expect(await get({ principal: STRANGER, headers: payer })).toBe(200);
    expect(await get({ principal: STRANGER, query: payer })).toBe(200);
    const anonymous: Principal = { ...STRANGER, kind: 'anonymous', canonicalId: 'x' };
    expect(await get({ principal: anonymous, headers: payer })).toBe(403);

    const bucket = await harness.metadata.view.bucket(BUCKET);
    expect(chargedHeaders(bucket, { principal: OWNER })).toBeNull();
    expect(chargedHeaders(bucket, { principal: STRANGER })).toEqual({
      'x-amz-request-charged': 'requester',
    });
  });

  it('is named in lists by its account', async () => {
    const harness = await made();
    const reply = await harness.send('GetBucketAcl');
    expect(texts(documentOf(reply), 'Owner', 'DisplayName')).toEqual([OWNER.displayName]);
  });
});
