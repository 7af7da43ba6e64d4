import { OPERATION_ACCESS, requiredAccess } from '../../src/auth/operation-access';
import { S3_ACTIONS } from '../../src/auth/policy/s3-actions';
import { ROUTES } from '../../src/http/router';
import { isRefused, OPERATIONS } from '../../src/s3/operations';
import type { Call } from './account-gateway';
import { AccountGateway, ALICE_ARN, OWNER } from './account-gateway';
import { policyText } from './policy/policy-fixture';

const BUCKET = 'matrix';
const TAGS = '<Tagging><TagSet><Tag><Key>team</Key><Value>a</Value></Tag></TagSet></Tagging>';
const ACL = { 'x-amz-acl': 'bucket-owner-full-control' };

/** What the samples need to be there. */
interface Prepared {
  readonly upload: string;
  readonly abandoned: string;
  readonly copied: string;
  readonly etag: string;
}

interface Sample {
  readonly operation: string;
  /** Each of them alone is not enough. */
  readonly needs: readonly string[];
  readonly call: (prepared: Prepared) => Call;
}

function sample(
  operation: string,
  needs: string | readonly string[],
  call: Call | Sample['call'],
): Sample {
  const actions = typeof needs === 'string' ? [needs] : needs;
  return {
    operation,
    needs: actions.map((action) => `s3:${action}`),
    call: typeof call === 'function' ? call : () => call,
  };
}

function at(method: string, path: string, body?: string, headers?: Call['headers']): Call {
  return {
    method,
    target: `/${BUCKET}${path}`,
    ...(body === undefined ? {} : { body }),
    ...(headers === undefined ? {} : { headers }),
  };
}

/** GET, PUT and DELETE of a configuration of the bucket. */
function configuration(
  [operation, action, query]: readonly [string, string, string],
  document: string | null,
  deletes = true,
): readonly Sample[] {
  return [
    sample(`Get${operation}`, `Get${action}`, at('GET', `?${query}`)),
    ...(document === null
      ? []
      : [sample(`Put${operation}`, `Put${action}`, at('PUT', `?${query}`, document))]),
    ...(deletes ? [sample(`Delete${operation}`, `Put${action}`, at('DELETE', `?${query}`))] : []),
  ];
}

const CORS =
  '<CORSConfiguration><CORSRule><AllowedMethod>GET</AllowedMethod>' +
  '<AllowedOrigin>*</AllowedOrigin></CORSRule></CORSConfiguration>';
const OWNERSHIP =
  '<OwnershipControls><Rule><ObjectOwnership>BucketOwnerEnforced</ObjectOwnership></Rule>' +
  '</OwnershipControls>';
const WEBSITE =
  '<WebsiteConfiguration><IndexDocument><Suffix>i</Suffix></IndexDocument></WebsiteConfiguration>';
const POLICY = policyText({
  Effect: 'Deny',
  Principal: { AWS: ALICE_ARN },
  Action: 's3:GetBucketLogging',
  Resource: `arn:aws:s3:::${BUCKET}`,
});
const ANALYTICS =
  '<AnalyticsConfiguration><Id>a</Id><StorageClassAnalysis/></AnalyticsConfiguration>';

const BUCKET_SAMPLES: readonly Sample[] = [
  sample('ListBuckets', 'ListAllMyBuckets', { method: 'GET', target: '/' }),
  ...(
    [
      ['GET', 'Get', undefined],
      ['PUT', 'Put', '<PublicAccessBlockConfiguration/>'],
      ['DELETE', 'Delete', undefined],
    ] as const
  ).map(([method, verb, body]) =>
    sample(
      `${verb}AccountPublicAccessBlock`,
      `${verb === 'Get' ? verb : 'Put'}AccountPublicAccessBlock`,
      {
        method,
        target: '/v20180820/configuration/publicAccessBlock',
        headers: { 'x-amz-account-id': OWNER.accountId },
        ...(body === undefined ? {} : { body }),
      },
    ),
  ),
  sample('CreateBucket', 'CreateBucket', { method: 'PUT', target: '/made' }),
  sample('CreateBucket', ['CreateBucket', 'PutBucketAcl'], {
    method: 'PUT',
    target: '/made-with-acl',
    headers: { 'x-amz-acl': 'private' },
  }),
  sample('CreateBucket', ['CreateBucket', 'PutBucketOwnershipControls'], {
    method: 'PUT',
    target: '/made-with-ownership',
    headers: { 'x-amz-object-ownership': 'ObjectWriter' },
  }),
  sample('DeleteBucket', 'DeleteBucket', { method: 'DELETE', target: '/deleted' }),
  sample('HeadBucket', 'ListBucket', at('HEAD', '')),
  sample('GetBucketLocation', 'GetBucketLocation', at('GET', '?location')),
  sample('ListObjects', 'ListBucket', at('GET', '?prefix=a')),
  sample('ListObjectsV2', 'ListBucket', at('GET', '?list-type=2')),
  sample('ListObjectVersions', 'ListBucketVersions', at('GET', '?versions')),
  sample('ListMultipartUploads', 'ListBucketMultipartUploads', at('GET', '?uploads')),
  ...configuration(
    ['BucketAccelerateConfiguration', 'AccelerateConfiguration', 'accelerate'],
    '<AccelerateConfiguration><Status>Suspended</Status></AccelerateConfiguration>',
    false,
  ),
  sample('GetBucketAcl', 'GetBucketAcl', at('GET', '?acl')),
  sample('PutBucketAcl', 'PutBucketAcl', at('PUT', '?acl', '', ACL)),
  ...configuration(['BucketCors', 'BucketCORS', 'cors'], CORS),
  ...configuration(['BucketLogging', 'BucketLogging', 'logging'], '<BucketLoggingStatus/>', false),
  ...configuration(
    ['BucketNotificationConfiguration', 'BucketNotification', 'notification'],
    '<NotificationConfiguration/>',
    false,
  ),
  ...configuration(
    ['BucketOwnershipControls', 'BucketOwnershipControls', 'ownershipControls'],
    OWNERSHIP,
  ),
  ...configuration(
    ['BucketRequestPayment', 'BucketRequestPayment', 'requestPayment'],
    '<RequestPaymentConfiguration><Payer>BucketOwner</Payer></RequestPaymentConfiguration>',
    false,
  ),
  ...configuration(['BucketTagging', 'BucketTagging', 'tagging'], TAGS),
  ...configuration(
    ['BucketVersioning', 'BucketVersioning', 'versioning'],
    '<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>',
    false,
  ),
  sample('GetBucketWebsite', 'GetBucketWebsite', at('GET', '?website')),
  sample('PutBucketWebsite', 'PutBucketWebsite', at('PUT', '?website', WEBSITE)),
  sample('DeleteBucketWebsite', 'DeleteBucketWebsite', at('DELETE', '?website')),
  sample('GetBucketPolicy', 'GetBucketPolicy', at('GET', '?policy')),
  sample('GetBucketPolicyStatus', 'GetBucketPolicyStatus', at('GET', '?policyStatus')),
  sample('PutBucketPolicy', 'PutBucketPolicy', at('PUT', '?policy', POLICY)),
  sample('DeleteBucketPolicy', 'DeleteBucketPolicy', at('DELETE', '?policy')),
  ...configuration(
    ['PublicAccessBlock', 'BucketPublicAccessBlock', 'publicAccessBlock'],
    '<PublicAccessBlockConfiguration/>',
  ),
  ...['Analytics', 'Metrics', 'IntelligentTiering', 'Inventory'].flatMap((name) => {
    const query = name === 'IntelligentTiering' ? 'intelligent-tiering' : name.toLowerCase();
    return [
      ...configuration(
        [`Bucket${name}Configuration`, `${name}Configuration`, `${query}&id=a`],
        name === 'Analytics'
          ? ANALYTICS
          : `<${name}Configuration><Id>a</Id></${name}Configuration>`,
      ),
      sample(`ListBucket${name}Configurations`, `Get${name}Configuration`, at('GET', `?${query}`)),
    ];
  }),
];

const VERSION = '?versionId=null';
const SOURCE = { 'x-amz-copy-source': `/${BUCKET}/source` };

const OBJECT_SAMPLES: readonly Sample[] = [
  sample('GetObject', 'GetObject', at('GET', '/read')),
  sample('GetObject', 'GetObject', at('GET', '/read?x-id=GetObject&version=null&VersionId=null')),
  sample('GetObject', 'GetObjectVersion', at('GET', `/read${VERSION}`)),
  sample('HeadObject', 'GetObject', at('HEAD', '/read')),
  sample('HeadObject', 'GetObjectVersion', at('HEAD', `/read${VERSION}`)),
  sample(
    'GetObjectAttributes',
    ['GetObject', 'GetObjectAttributes'],
    at('GET', '/read?attributes', '', { 'x-amz-object-attributes': 'ETag' }),
  ),
  sample(
    'GetObjectAttributes',
    ['GetObjectVersion', 'GetObjectVersionAttributes'],
    at('GET', '/read?attributes&versionId=null', '', { 'x-amz-object-attributes': 'ETag' }),
  ),
  sample('GetObjectAcl', 'GetObjectAcl', at('GET', '/read?acl')),
  sample('GetObjectAcl', 'GetObjectVersionAcl', at('GET', '/read?acl&versionId=null')),
  sample('PutObjectAcl', 'PutObjectAcl', at('PUT', '/read?acl', '', ACL)),
  sample('PutObjectAcl', 'PutObjectVersionAcl', at('PUT', '/read?acl&versionId=null', '', ACL)),
  sample('GetObjectTagging', 'GetObjectTagging', at('GET', '/read?tagging')),
  sample('GetObjectTagging', 'GetObjectVersionTagging', at('GET', '/read?tagging&versionId=null')),
  sample('PutObjectTagging', 'PutObjectTagging', at('PUT', '/read?tagging', TAGS)),
  sample(
    'PutObjectTagging',
    'PutObjectVersionTagging',
    at('PUT', '/read?tagging&versionId=null', TAGS),
  ),
  sample('DeleteObjectTagging', 'DeleteObjectTagging', at('DELETE', '/read?tagging')),
  sample(
    'DeleteObjectTagging',
    'DeleteObjectVersionTagging',
    at('DELETE', '/read?tagging&versionId=null'),
  ),
  sample('PutObject', 'PutObject', at('PUT', '/written', 'x')),
  sample('PutObject', 'PutObject', at('PUT', '/written?versionId=null', 'x')),
  sample(
    'PutObject',
    ['PutObject', 'PutObjectTagging'],
    at('PUT', '/tagged', 'x', { 'x-amz-tagging': 'a=b' }),
  ),
  sample('PutObject', ['PutObject', 'PutObjectAcl'], at('PUT', '/owned', 'x', ACL)),
  sample(
    'PutObject',
    ['PutObject', 'PutObjectAcl'],
    at('PUT', '/granted', 'x', { 'x-amz-grant-read': 'id="x"' }),
  ),
  sample(
    'PutObject',
    ['PutObject', 'PutObjectRetention', 'PutObjectLegalHold'],
    at('PUT', '/locked', 'x', {
      'x-amz-object-lock-mode': 'GOVERNANCE',
      'x-amz-object-lock-legal-hold': 'ON',
    }),
  ),
  sample('CopyObject', ['PutObject', 'GetObject'], at('PUT', '/copied', '', SOURCE)),
  sample(
    'CopyObject',
    ['PutObject', 'GetObjectVersion'],
    at('PUT', '/copied', '', { 'x-amz-copy-source': `/${BUCKET}/source${VERSION}` }),
  ),
  sample('DeleteObject', 'DeleteObject', at('DELETE', '/gone')),
  sample('DeleteObject', 'DeleteObjectVersion', at('DELETE', `/gone${VERSION}`)),
  sample(
    'DeleteObject',
    ['DeleteObjectVersion', 'BypassGovernanceRetention'],
    at('DELETE', `/gone${VERSION}`, '', { 'x-amz-bypass-governance-retention': 'true' }),
  ),
  sample(
    'DeleteObjects',
    'DeleteObject',
    at('POST', '?delete', '<Delete><Object><Key>gone</Key></Object></Delete>'),
  ),
  sample(
    'DeleteObjects',
    'DeleteObjectVersion',
    at(
      'POST',
      '?delete',
      '<Delete><Object><Key>gone</Key><VersionId>null</VersionId></Object></Delete>',
    ),
  ),
  sample('CreateMultipartUpload', 'PutObject', at('POST', '/parts?uploads')),
  sample(
    'CreateMultipartUpload',
    ['PutObject', 'PutObjectTagging'],
    at('POST', '/parts?uploads', '', { 'x-amz-tagging': 'a=b' }),
  ),
  sample('UploadPart', 'PutObject', ({ upload }) =>
    at('PUT', `/parts?partNumber=2&uploadId=${upload}`, 'part'),
  ),
  sample('UploadPartCopy', ['PutObject', 'GetObject'], ({ copied }) =>
    at('PUT', `/parts?partNumber=1&uploadId=${copied}`, '', SOURCE),
  ),
  sample('ListParts', 'ListMultipartUploadParts', ({ upload }) =>
    at('GET', `/parts?uploadId=${upload}`),
  ),
  sample('CompleteMultipartUpload', 'PutObject', ({ upload, etag }) =>
    at(
      'POST',
      `/parts?uploadId=${upload}`,
      `<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>${etag}</ETag></Part>` +
        '</CompleteMultipartUpload>',
    ),
  ),
  sample('AbortMultipartUpload', 'AbortMultipartUpload', ({ abandoned }) =>
    at('DELETE', `/parts?uploadId=${abandoned}`),
  ),
];

const SUPPORTED = [...OPERATIONS.values()]
  .filter((operation) => !isRefused(operation))
  .map(({ name }) => name);
const SAMPLES = [...BUCKET_SAMPLES, ...OBJECT_SAMPLES].filter(({ operation }) =>
  SUPPORTED.includes(operation),
);
/** Its sender is in the form, so it has tests of its own. */
const ELSEWHERE = ['PostObject'];
const ROWS = SAMPLES.map(
  (each) => [`${each.operation} needs ${each.needs.join(' + ')}`, each] as const,
);

let gateway: AccountGateway;
let prepared: Prepared;

beforeAll(async () => {
  gateway = await AccountGateway.start();
  await gateway.arrange('PUT', `/${BUCKET}`);
  await gateway.arrange('PUT', '/deleted');
  for (const key of ['read', 'source', 'gone']) {
    await gateway.arrange('PUT', `/${BUCKET}/${key}`, 'bytes');
  }
  const begin = async (): Promise<string> => {
    const { body } = await gateway.arrange('POST', `/${BUCKET}/parts?uploads`);
    return /<UploadId>(.*)<\/UploadId>/.exec(body.toString())?.[1] ?? '';
  };
  const upload = await begin();
  const part = await gateway.arrange(
    'PUT',
    `/${BUCKET}/parts?partNumber=1&uploadId=${upload}`,
    'part',
  );
  prepared = {
    upload,
    abandoned: await begin(),
    copied: await begin(),
    etag: part.headers.etag ?? '',
  };
});

afterAll(() => gateway.close());

async function isRefusedTo(policy: string, each: Sample): Promise<boolean> {
  await gateway.allow('alice', policy);
  const answer = await gateway.call('alice', each.call(prepared));
  // What is not implemented is told to those who might have used it.
  expect([500, 503]).not.toContain(answer.status);
  return answer.status === 403 || answer.code === 'AccessDenied';
}

describe('advisory row 24: every operation against all permissions but the needed one', () => {
  it('has a sample of every supported operation', () => {
    const sampled = new Set([...SAMPLES.map(({ operation }) => operation), ...ELSEWHERE]);
    expect(SUPPORTED.filter((name) => !sampled.has(name))).toEqual([]);
  });

  it.each(ROWS)('%s: without one of them it is refused', async (_name, each) => {
    for (const action of each.needs) {
      const policy = policyText({ Effect: 'Allow', NotAction: action, Resource: '*' });
      expect([action, await isRefusedTo(policy, each)]).toEqual([action, true]);
    }
  });

  it.each(ROWS)('%s: with everything but a denial of one of them, too', async (_name, each) => {
    for (const action of each.needs) {
      const policy = policyText(
        { Effect: 'Allow', Action: '*', Resource: '*' },
        { Effect: 'Deny', Action: action, Resource: '*' },
      );
      expect([action, await isRefusedTo(policy, each)]).toEqual([action, true]);
    }
  });

  it.each(ROWS)('%s: nobody is refused', async (_name, each) => {
    const answer = await gateway.call('nobody', each.call(prepared));
    expect(answer.status === 403 || answer.code === 'AccessDenied').toBe(true);
  });

  it.each(ROWS)('%s: with nothing else it is let in', async (_name, each) => {
    const policy = policyText({ Effect: 'Allow', Action: each.needs, Resource: '*' });
    expect(await isRefusedTo(policy, each)).toBe(false);
  });
});

describe('operations that are not there', () => {
  const REFUSED = ROUTES.filter(({ operation }) => !SUPPORTED.includes(operation)).map(
    (route) => [`${route.method} ${route.scope} ${route.operation}`, route] as const,
  );

  function callOf(route: (typeof ROUTES)[number]): Call {
    const path = {
      service: '/WriteGetObjectResponse',
      account: '/',
      bucket: `/${BUCKET}`,
      object: `/${BUCKET}/read`,
    }[route.scope];
    const { subresource, parameter, header } = route;
    const query = [subresource, parameter].filter((name) => name !== undefined);
    return {
      method: route.method,
      target: query.length === 0 ? path : `${path}?${query.join('&')}`,
      headers: { ...(header === undefined ? {} : { [header]: 'x' }) },
    };
  }

  it.each(REFUSED)('%s: 403 for those who may not, 501 for those who may', async (_name, route) => {
    await gateway.allow('alice', policyText({ Effect: 'Allow', Action: 'iam:*', Resource: '*' }));
    const refused = await gateway.call('alice', callOf(route));
    const known = await gateway.call('owner', callOf(route));
    expect([refused.status, known.status]).toEqual([403, 501]);
  });
});

describe('the table of permissions', () => {
  it('has every operation of the API', () => {
    expect([...OPERATIONS.keys()].filter((name) => !OPERATION_ACCESS.has(name))).toEqual([]);
  });

  it('leaves the asking to as few operations as can be', () => {
    const silent = [...OPERATION_ACCESS].filter(([, { required }]) => required.length === 0);
    expect(silent.map(([name]) => name)).toEqual([
      'PostObject',
      'DeleteObjects',
      'PutObjectTagging',
    ]);
  });

  it('names actions that policies can name', () => {
    const named = [...OPERATION_ACCESS.values()].flatMap((access) => [
      ...access.required,
      ...(access.requiredForVersion ?? []),
    ]);
    const unknown = named.map(({ action }) => action).filter((action) => !S3_ACTIONS.has(action));
    expect([...new Set(unknown)]).toEqual([
      's3:ListAllMyDirectoryBuckets',
      's3:CreateSession',
      's3-object-lambda:WriteGetObjectResponse',
    ]);
  });

  it('row 27, V-13: versionId changes the action where it names a version, nothing else does', () => {
    const actions = (
      operation: string,
      ...query: readonly (readonly [string, string])[]
    ): string[] =>
      requiredAccess(operation, { headers: new Map(), query: new Map(query) }).map(
        ({ action }) => action,
      );
    expect(actions('GetObject')).toEqual(['s3:GetObject']);
    expect(actions('GetObject', ['versionId', ''])).toEqual(['s3:GetObjectVersion']);
    expect(actions('GetObject', ['versionid', 'x'], ['acl', ''])).toEqual(['s3:GetObject']);
    expect(actions('PutObject', ['versionId', 'x'])).toEqual(['s3:PutObject']);
    expect(actions('ListObjects', ['versionId', 'x'])).toEqual(['s3:ListBucket']);
    expect(actions('NoSuchOperation')).toEqual(['s3:NoSuchOperation']);
  });
});
