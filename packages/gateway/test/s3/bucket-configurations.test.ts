import { createHash } from 'node:crypto';

import { BUCKET, documentOf, Harness, text, texts } from './harness';
import type { Reply } from './harness';

function md5(body: string): Record<string, string> {
  return { 'content-md5': createHash('md5').update(body).digest('base64') };
}

async function made(name = BUCKET): Promise<Harness> {
  const harness = await Harness.create();
  await harness.bucket(name);
  return harness;
}

function put(harness: Harness, operation: string, body: string): Promise<Reply> {
  return harness.send(operation, { body, headers: md5(body) });
}

describe('versioning', () => {
  const document = (inner: string): string =>
    `<VersioningConfiguration>${inner}</VersioningConfiguration>`;

  it('V-1: is enabled and suspended, and never goes back to unversioned', async () => {
    const harness = await made();
    for (const status of ['Enabled', 'Suspended', 'Enabled']) {
      const reply = await put(
        harness,
        'PutBucketVersioning',
        document(`<Status>${status}</Status>`),
      );
      expect(reply).toMatchObject({ status: 200 });
      const read = documentOf(await harness.send('GetBucketVersioning'));
      expect(text(read, 'Status')).toBe(status);
    }
  });

  it.each([
    ['<Status>Off</Status>', 'MalformedXML'],
    ['<Status>enabled</Status>', 'MalformedXML'],
    ['<Other/>', 'MalformedXML'],
    ['', 'IllegalVersioningConfigurationException'],
    ['<MfaDelete>Disabled</MfaDelete>', 'IllegalVersioningConfigurationException'],
    ['<Status>Enabled</Status><MfaDelete>Maybe</MfaDelete>', 'MalformedXML'],
    ['<Status>Enabled</Status><MfaDelete>Disabled</MfaDelete>', null],
  ])('V-1: %s → %s', async (inner, code) => {
    expect((await put(await made(), 'PutBucketVersioning', document(inner))).code).toBe(code);
  });

  it('V-21: nobody has the device that MfaDelete needs', async () => {
    const harness = await made();
    const body = document('<Status>Enabled</Status><MfaDelete>Enabled</MfaDelete>');
    const headers = { ...md5(body), 'x-amz-mfa': 'arn:aws:iam::000000000001:mfa/x 123456' };
    for (const each of [md5(body), headers]) {
      const reply = await harness.send('PutBucketVersioning', { body, headers: each });
      expect(reply).toMatchObject({ status: 403, code: 'AccessDenied' });
      expect(reply.message).toBe('Mfa Authentication must be used for this request');
    }
    const read = documentOf(await harness.send('GetBucketVersioning'));
    expect(text(read, 'Status')).toBeNull();
  });
});

describe('a configuration', () => {
  const simple = [
    [
      'BucketTagging',
      '<Tagging><TagSet><Tag><Key>k</Key><Value>v</Value></Tag></TagSet></Tagging>',
      'NoSuchTagSet',
      200,
    ],
    [
      'BucketCors',
      '<CORSConfiguration><CORSRule><AllowedMethod>GET</AllowedMethod>' +
        '<AllowedOrigin>*</AllowedOrigin></CORSRule></CORSConfiguration>',
      'NoSuchCORSConfiguration',
      200,
    ],
    [
      'BucketWebsite',
      '<WebsiteConfiguration><IndexDocument><Suffix>i.html</Suffix></IndexDocument>' +
        '</WebsiteConfiguration>',
      'NoSuchWebsiteConfiguration',
      200,
    ],
    [
      'BucketOwnershipControls',
      '<OwnershipControls><Rule><ObjectOwnership>ObjectWriter</ObjectOwnership></Rule>' +
        '</OwnershipControls>',
      'OwnershipControlsNotFoundError',
      200,
    ],
    [
      'PublicAccessBlock',
      '<PublicAccessBlockConfiguration><BlockPublicAcls>true</BlockPublicAcls>' +
        '<IgnorePublicAcls>false</IgnorePublicAcls><BlockPublicPolicy>false</BlockPublicPolicy>' +
        '<RestrictPublicBuckets>false</RestrictPublicBuckets></PublicAccessBlockConfiguration>',
      'NoSuchPublicAccessBlockConfiguration',
      200,
    ],
  ] as const;

  it.each(simple)('%s is put, returned as it was put, and deleted', async (...row) => {
    const [name, body, absent, status] = row;
    const harness = await made();
    expect(await put(harness, `Put${name}`, body)).toMatchObject({ status, code: null });
    const read = await harness.send(`Get${name}`);
    const bare = read.bytes.toString().replace(/^<\?xml[^>]*>\s*/, '');
    expect(bare.replace(/ xmlns="[^"]*"/, '')).toBe(body);
    for (let time = 0; time < 2; time += 1) {
      expect(await harness.send(`Delete${name}`)).toMatchObject({ status: 204 });
    }
    expect(await harness.send(`Get${name}`)).toMatchObject({ status: 404, code: absent });
  });

  it.each(['BucketTagging', 'BucketCors', 'BucketOwnershipControls', 'PublicAccessBlock'])(
    'Put%s needs Content-MD5 or a checksum, which must be right',
    async (name) => {
      const harness = await made();
      const body = simple.find(([each]) => each === name)![1];
      const bare = await harness.send(`Put${name}`, { body });
      expect(bare).toMatchObject({ status: 400, code: 'InvalidRequest' });
      expect(bare.message).toContain('Missing required header for this request: Content-MD5');
      const wrong = await harness.send(`Put${name}`, { body, headers: md5('other') });
      expect(wrong).toMatchObject({ code: 'BadDigest' });
    },
  );

  it.each([
    ...simple.map(([name]) => name),
    'BucketVersioning',
    'BucketRequestPayment',
    'BucketAccelerateConfiguration',
  ])('Put%s refuses what is no document of its kind', async (name) => {
    const harness = await made();
    const deep = '<a>'.repeat(30) + '</a>'.repeat(30);
    const bomb = '<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>';
    for (const body of ['<Other/>', 'no xml', '<a', deep, bomb, '<a>\u0000</a>']) {
      expect(await put(harness, `Put${name}`, body)).toMatchObject({
        status: 400,
        code: 'MalformedXML',
      });
    }
    expect(await put(harness, `Put${name}`, '')).toMatchObject({
      code: 'MissingRequestBodyError',
    });
    expect(await put(harness, `Put${name}`, `<a>${'x'.repeat(200_000)}</a>`)).toMatchObject({
      code: 'MaxMessageLengthExceeded',
    });
  });
});

describe('bucket tags', () => {
  const tagging = (count: number): string =>
    `<Tagging><TagSet>${Array.from(
      { length: count },
      (_, index) => `<Tag><Key>k${index}</Key><Value>v</Value></Tag>`,
    ).join('')}</TagSet></Tagging>`;

  it('Q-4: there are at most fifty', async () => {
    const harness = await made();
    expect(await put(harness, 'PutBucketTagging', tagging(50))).toMatchObject({ status: 200 });
    const reply = await put(harness, 'PutBucketTagging', tagging(51));
    expect(reply).toMatchObject({
      status: 400,
      code: 'BadRequest',
      message: 'Bucket tag count cannot be greater than 50',
    });
    const read = documentOf(await harness.send('GetBucketTagging'));
    expect(texts(read, 'TagSet', 'Tag', 'Key')).toHaveLength(50);
  });

  it('Q-4: an empty set is none', async () => {
    const harness = await made();
    await put(harness, 'PutBucketTagging', tagging(1));
    expect(await put(harness, 'PutBucketTagging', tagging(0))).toMatchObject({ status: 200 });
    expect(await harness.send('GetBucketTagging')).toMatchObject({ code: 'NoSuchTagSet' });
  });

  it('come with CreateBucket too', async () => {
    const harness = await Harness.create();
    const body =
      '<CreateBucketConfiguration><Tags><Tag><Key>team</Key><Value>x</Value></Tag></Tags>' +
      '</CreateBucketConfiguration>';
    expect(await harness.send('CreateBucket', { body })).toMatchObject({ status: 200 });
    const read = documentOf(await harness.send('GetBucketTagging'));
    expect(texts(read, 'TagSet', 'Tag', 'Value')).toEqual(['x']);
  });
});

describe('request payment and acceleration', () => {
  it('the owner pays unless somebody else was chosen', async () => {
    const harness = await made();
    const read = async (): Promise<string | null> =>
      text(documentOf(await harness.send('GetBucketRequestPayment')), 'Payer');
    expect(await read()).toBe('BucketOwner');
    const body =
      '<RequestPaymentConfiguration><Payer>Requester</Payer></RequestPaymentConfiguration>';
    expect(await put(harness, 'PutBucketRequestPayment', body)).toMatchObject({ status: 200 });
    expect(await read()).toBe('Requester');
    const wrong = body.replace('Requester<', 'Nobody<');
    expect(await put(harness, 'PutBucketRequestPayment', wrong)).toMatchObject({
      code: 'MalformedXML',
    });
  });

  it('a name with dots is not accelerated', async () => {
    const body = '<AccelerateConfiguration><Status>Enabled</Status></AccelerateConfiguration>';
    const harness = await made();
    const absent = documentOf(await harness.send('GetBucketAccelerateConfiguration'));
    expect(absent.children).toEqual([]);
    expect(await put(harness, 'PutBucketAccelerateConfiguration', body)).toMatchObject({
      status: 200,
    });
    const read = documentOf(await harness.send('GetBucketAccelerateConfiguration'));
    expect(text(read, 'Status')).toBe('Enabled');

    await harness.bucket('a.b.c');
    const dotted = await harness.send('PutBucketAccelerateConfiguration', {
      bucket: 'a.b.c',
      body,
    });
    expect(dotted).toMatchObject({ status: 400, code: 'InvalidRequest' });
  });
});

describe('what is not configurable yet', () => {
  it.each([
    ['BucketLogging', 'BucketLoggingStatus', 'LoggingEnabled'],
    ['BucketNotificationConfiguration', 'NotificationConfiguration', 'QueueConfiguration'],
  ])('%s is empty, and only that can be put', async (name, root, element) => {
    const harness = await made();
    expect(documentOf(await harness.send(`Get${name}`))).toMatchObject({
      name: root,
      children: [],
    });
    expect(await put(harness, `Put${name}`, `<${root}/>`)).toMatchObject({ status: 200 });
    const refused = await put(harness, `Put${name}`, `<${root}><${element}/></${root}>`);
    expect(refused).toMatchObject({ status: 501, code: 'NotImplemented' });
    expect(refused.message).toContain(element);
  });
});

describe('configurations with ids', () => {
  const filter =
    '<Filter><And><Prefix>p/</Prefix><Tag><Key>k</Key><Value>v</Value></Tag></And></Filter>';
  const documents: Readonly<Record<string, (id: string) => string>> = {
    Analytics: (id) =>
      `<AnalyticsConfiguration><Id>${id}</Id>${filter}<StorageClassAnalysis>` +
      '<DataExport><OutputSchemaVersion>V_1</OutputSchemaVersion><Destination>' +
      '<S3BucketDestination><Format>CSV</Format><Bucket>arn:aws:s3:::b</Bucket>' +
      '</S3BucketDestination></Destination></DataExport></StorageClassAnalysis>' +
      '</AnalyticsConfiguration>',
    Metrics: (id) => `<MetricsConfiguration><Id>${id}</Id>${filter}</MetricsConfiguration>`,
    IntelligentTiering: (id) =>
      `<IntelligentTieringConfiguration><Id>${id}</Id><Status>Enabled</Status><Tiering>` +
      '<Days>90</Days><AccessTier>ARCHIVE_ACCESS</AccessTier></Tiering>' +
      '</IntelligentTieringConfiguration>',
  };
  const kinds = Object.keys(documents);

  it.each(kinds)('%s: put, returned, listed, deleted', async (kind) => {
    const harness = await made();
    const document = documents[kind]!;
    const at = (id: string): { query: Record<string, string> } => ({ query: { id } });
    const read = `GetBucket${kind}Configuration`;
    expect(await harness.send(read, at('a'))).toMatchObject({
      status: 404,
      code: 'NoSuchConfiguration',
    });
    for (const id of ['b', 'a']) {
      const call = { ...at(id), body: document(id) };
      expect(await harness.send(`PutBucket${kind}Configuration`, call)).toMatchObject({
        status: 200,
      });
    }
    const one = (await harness.send(read, at('a'))).bytes.toString();
    const bare = one.replace(/^<\?xml[^>]*>\s*/, '').replace(/ xmlns="[^"]*"/, '');
    expect(bare).toBe(document('a'));
    const list = documentOf(await harness.send(`ListBucket${kind}Configurations`));
    expect(texts(list, `${kind}Configuration`, 'Id')).toEqual(['a', 'b']);
    expect(text(list, 'IsTruncated')).toBe('false');
    const remove = `DeleteBucket${kind}Configuration`;
    expect(await harness.send(remove, at('a'))).toMatchObject({ status: 204 });
    expect(await harness.send(remove, at('a'))).toMatchObject({ code: 'NoSuchConfiguration' });
  });

  it.each(kinds)('%s: ids and shapes are checked', async (kind) => {
    const harness = await made();
    const send = (id: string, body: string): Promise<Reply> =>
      harness.send(`PutBucket${kind}Configuration`, { query: { id }, body });
    const document = documents[kind]!;
    expect(await send('a', document('b'))).toMatchObject({ code: 'InvalidArgument' });
    expect(await send('', document(''))).toMatchObject({ code: 'InvalidArgument' });
    expect(await send('a/b', document('a/b'))).toMatchObject({ code: 'InvalidArgument' });
    expect(await send('x'.repeat(65), document('x'))).toMatchObject({ code: 'InvalidArgument' });
    const root = `${kind}Configuration`;
    for (const inner of ['', '<Id>a</Id><Id>a</Id>', '<Id>a</Id><Nonsense/>', '<Id><a/></Id>']) {
      expect(await send('a', `<${root}>${inner}</${root}>`)).toMatchObject({
        code: 'MalformedXML',
      });
    }
  });

  it('are listed a hundred at a time', async () => {
    const harness = await made();
    const ids = Array.from({ length: 150 }, (_, index) => `id-${String(index).padStart(3, '0')}`);
    for (const id of ids) {
      const body = documents['Metrics']!(id);
      await harness.send('PutBucketMetricsConfiguration', { query: { id }, body });
    }
    const name = 'ListBucketMetricsConfigurations';
    const first = documentOf(await harness.send(name));
    expect(text(first, 'IsTruncated')).toBe('true');
    const token = text(first, 'NextContinuationToken')!;
    const second = documentOf(await harness.send(name, { query: { 'continuation-token': token } }));
    expect(text(second, 'IsTruncated')).toBe('false');
    const at = ['MetricsConfiguration', 'Id'];
    expect([...texts(first, ...at), ...texts(second, ...at)]).toEqual(ids);
  });

  it('a tier has its range of days', async () => {
    const harness = await made();
    const send = (days: number, tier: string): Promise<Reply> =>
      harness.send('PutBucketIntelligentTieringConfiguration', {
        query: { id: 'a' },
        body: documents['IntelligentTiering']!('a')
          .replace('<Days>90', `<Days>${days}`)
          .replace('>ARCHIVE_ACCESS', `>${tier}`),
      });
    expect(await send(89, 'ARCHIVE_ACCESS')).toMatchObject({ code: 'InvalidArgument' });
    expect(await send(179, 'DEEP_ARCHIVE_ACCESS')).toMatchObject({ code: 'InvalidArgument' });
    expect(await send(180, 'DEEP_ARCHIVE_ACCESS')).toMatchObject({ status: 200 });
    expect(await send(731, 'DEEP_ARCHIVE_ACCESS')).toMatchObject({ code: 'InvalidArgument' });
  });
});
