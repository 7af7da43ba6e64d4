import { invalidArgument, S3Error } from '../s3/s3-error';
import type { RequestHead } from './request-head';

/** What a request addresses. */
type Scope = 'service' | 'account' | 'bucket' | 'object';

/**
 * Method, scope and subresource (the query parameter that selects an API) of every operation. A
 * route without subresource takes what no other route of its method takes.
 */
interface Route {
  readonly operation: string;
  readonly method: string;
  readonly scope: Scope;
  readonly subresource?: string;
  /** Header whose presence selects this route before the one without it. */
  readonly header?: string;
  /** Query parameter whose presence selects this route before the one without it. */
  readonly parameter?: string;
  /** Parameters without which the request is refused. */
  readonly required?: readonly string[];
}

/** Subresources of buckets that are read, written and deleted under one name. */
const BUCKET_CONFIGURATIONS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  abac: { GET: 'GetBucketAbac', PUT: 'PutBucketAbac' },
  accelerate: {
    GET: 'GetBucketAccelerateConfiguration',
    PUT: 'PutBucketAccelerateConfiguration',
  },
  acl: { GET: 'GetBucketAcl', PUT: 'PutBucketAcl' },
  cors: { GET: 'GetBucketCors', PUT: 'PutBucketCors', DELETE: 'DeleteBucketCors' },
  delete: { POST: 'DeleteObjects' },
  encryption: {
    GET: 'GetBucketEncryption',
    PUT: 'PutBucketEncryption',
    DELETE: 'DeleteBucketEncryption',
  },
  lifecycle: {
    GET: 'GetBucketLifecycleConfiguration',
    PUT: 'PutBucketLifecycleConfiguration',
    DELETE: 'DeleteBucketLifecycle',
  },
  location: { GET: 'GetBucketLocation' },
  logging: { GET: 'GetBucketLogging', PUT: 'PutBucketLogging' },
  metadataAnnotationTable: { PUT: 'UpdateBucketMetadataAnnotationTableConfiguration' },
  metadataConfiguration: {
    GET: 'GetBucketMetadataConfiguration',
    POST: 'CreateBucketMetadataConfiguration',
    DELETE: 'DeleteBucketMetadataConfiguration',
  },
  metadataInventoryTable: { PUT: 'UpdateBucketMetadataInventoryTableConfiguration' },
  metadataJournalTable: { PUT: 'UpdateBucketMetadataJournalTableConfiguration' },
  metadataTable: {
    GET: 'GetBucketMetadataTableConfiguration',
    POST: 'CreateBucketMetadataTableConfiguration',
    DELETE: 'DeleteBucketMetadataTableConfiguration',
  },
  notification: {
    GET: 'GetBucketNotificationConfiguration',
    PUT: 'PutBucketNotificationConfiguration',
  },
  'object-lock': { GET: 'GetObjectLockConfiguration', PUT: 'PutObjectLockConfiguration' },
  ownershipControls: {
    GET: 'GetBucketOwnershipControls',
    PUT: 'PutBucketOwnershipControls',
    DELETE: 'DeleteBucketOwnershipControls',
  },
  policy: { GET: 'GetBucketPolicy', PUT: 'PutBucketPolicy', DELETE: 'DeleteBucketPolicy' },
  policyStatus: { GET: 'GetBucketPolicyStatus' },
  publicAccessBlock: {
    GET: 'GetPublicAccessBlock',
    PUT: 'PutPublicAccessBlock',
    DELETE: 'DeletePublicAccessBlock',
  },
  replication: {
    GET: 'GetBucketReplication',
    PUT: 'PutBucketReplication',
    DELETE: 'DeleteBucketReplication',
  },
  requestPayment: { GET: 'GetBucketRequestPayment', PUT: 'PutBucketRequestPayment' },
  session: { GET: 'CreateSession' },
  tagging: { GET: 'GetBucketTagging', PUT: 'PutBucketTagging', DELETE: 'DeleteBucketTagging' },
  uploads: { GET: 'ListMultipartUploads' },
  versioning: { GET: 'GetBucketVersioning', PUT: 'PutBucketVersioning' },
  versions: { GET: 'ListObjectVersions' },
  website: { GET: 'GetBucketWebsite', PUT: 'PutBucketWebsite', DELETE: 'DeleteBucketWebsite' },
};

/** Configurations of which a bucket has several, each with an id; without one GET lists them. */
const NUMBERED_CONFIGURATIONS: Readonly<Record<string, string>> = {
  analytics: 'Analytics',
  'intelligent-tiering': 'IntelligentTiering',
  inventory: 'Inventory',
  metrics: 'Metrics',
};

const OBJECT_SUBRESOURCES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  acl: { GET: 'GetObjectAcl', PUT: 'PutObjectAcl' },
  attributes: { GET: 'GetObjectAttributes' },
  encryption: { PUT: 'UpdateObjectEncryption' },
  'legal-hold': { GET: 'GetObjectLegalHold', PUT: 'PutObjectLegalHold' },
  renameObject: { PUT: 'RenameObject' },
  restore: { POST: 'RestoreObject' },
  retention: { GET: 'GetObjectRetention', PUT: 'PutObjectRetention' },
  select: { POST: 'SelectObjectContent' },
  tagging: {
    GET: 'GetObjectTagging',
    PUT: 'PutObjectTagging',
    DELETE: 'DeleteObjectTagging',
  },
  torrent: { GET: 'GetObjectTorrent' },
  uploads: { POST: 'CreateMultipartUpload' },
};

const COPY_SOURCE = 'x-amz-copy-source';
const PART_PARAMETERS = ['uploadId', 'partNumber'] as const;

const SERVICE_ROUTES: readonly Route[] = [
  { operation: 'ListBuckets', method: 'GET', scope: 'service' },
  {
    operation: 'WriteGetObjectResponse',
    method: 'POST',
    scope: 'service',
    header: 'x-amz-request-route',
  },
];

/** Of S3 Control. */
const ACCOUNT_ROUTES: readonly Route[] = [
  { operation: 'GetAccountPublicAccessBlock', method: 'GET', scope: 'account' },
  { operation: 'PutAccountPublicAccessBlock', method: 'PUT', scope: 'account' },
  { operation: 'DeleteAccountPublicAccessBlock', method: 'DELETE', scope: 'account' },
];

const BUCKET_ROUTES: readonly Route[] = [
  { operation: 'CreateBucket', method: 'PUT', scope: 'bucket' },
  { operation: 'HeadBucket', method: 'HEAD', scope: 'bucket' },
  { operation: 'DeleteBucket', method: 'DELETE', scope: 'bucket' },
  { operation: 'ListObjects', method: 'GET', scope: 'bucket' },
  { operation: 'ListObjectsV2', method: 'GET', scope: 'bucket', subresource: 'list-type' },
  { operation: 'PostObject', method: 'POST', scope: 'bucket' },
];

const OBJECT_ROUTES: readonly Route[] = [
  { operation: 'CopyObject', method: 'PUT', scope: 'object', header: COPY_SOURCE },
  { operation: 'PutObject', method: 'PUT', scope: 'object' },
  { operation: 'GetObject', method: 'GET', scope: 'object' },
  { operation: 'HeadObject', method: 'HEAD', scope: 'object' },
  { operation: 'DeleteObject', method: 'DELETE', scope: 'object' },
  { operation: 'ListParts', method: 'GET', scope: 'object', subresource: 'uploadId' },
  {
    operation: 'CompleteMultipartUpload',
    method: 'POST',
    scope: 'object',
    subresource: 'uploadId',
  },
  {
    operation: 'AbortMultipartUpload',
    method: 'DELETE',
    scope: 'object',
    subresource: 'uploadId',
  },
  // A part number alone must never fall through to PutObject and replace the object by a part.
  ...(['uploadId', 'partNumber'] as const).flatMap((subresource): Route[] => [
    {
      operation: 'UploadPartCopy',
      method: 'PUT',
      scope: 'object',
      subresource,
      header: COPY_SOURCE,
      required: PART_PARAMETERS,
    },
    {
      operation: 'UploadPart',
      method: 'PUT',
      scope: 'object',
      subresource,
      required: PART_PARAMETERS,
    },
  ]),
  {
    operation: 'GetObjectAnnotation',
    method: 'GET',
    scope: 'object',
    subresource: 'annotation',
    parameter: 'annotationName',
  },
  {
    operation: 'ListObjectAnnotations',
    method: 'GET',
    scope: 'object',
    subresource: 'annotation',
  },
  { operation: 'PutObjectAnnotation', method: 'PUT', scope: 'object', subresource: 'annotation' },
  {
    operation: 'DeleteObjectAnnotation',
    method: 'DELETE',
    scope: 'object',
    subresource: 'annotation',
  },
];

function subresourceRoutes(
  scope: Scope,
  table: Readonly<Record<string, Readonly<Record<string, string>>>>,
): Route[] {
  return Object.entries(table).flatMap(([subresource, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      operation,
      method,
      scope,
      subresource,
    })),
  );
}

function numberedRoutes(subresource: string, name: string): Route[] {
  const scope = 'bucket';
  const operation = `Bucket${name}Configuration`;
  return [
    { operation: `Get${operation}`, method: 'GET', scope, subresource, parameter: 'id' },
    { operation: `List${operation}s`, method: 'GET', scope, subresource },
    { operation: `Put${operation}`, method: 'PUT', scope, subresource },
    { operation: `Delete${operation}`, method: 'DELETE', scope, subresource },
  ];
}

/** Every route. Where two fit, the first in this order wins. */
export const ROUTES: readonly Route[] = [
  ...SERVICE_ROUTES,
  ...ACCOUNT_ROUTES,
  ...BUCKET_ROUTES,
  ...OBJECT_ROUTES,
  ...subresourceRoutes('bucket', BUCKET_CONFIGURATIONS),
  ...Object.entries(NUMBERED_CONFIGURATIONS).flatMap(([subresource, name]) =>
    numberedRoutes(subresource, name),
  ),
  ...subresourceRoutes('object', OBJECT_SUBRESOURCES),
];

/** `PUT object uploadId` → its routes; the part after the second blank is '' without subresource. */
const ROUTES_BY_SHAPE = groupRoutes((route) =>
  shapeOf(route.method, route.scope, route.subresource ?? ''),
);
const METHODS_BY_TARGET = groupRoutes((route) => shapeOf('', route.scope, route.subresource ?? ''));

const SUBRESOURCES: Readonly<Record<Scope, ReadonlySet<string>>> = {
  service: new Set(),
  account: new Set(),
  bucket: subresourcesOf('bucket'),
  object: subresourcesOf('object'),
};

/** `uploadId` and `partNumber` together name one thing; partNumber alone is a filter when reading. */
const PAIRED: ReadonlySet<string> = new Set(PART_PARAMETERS);

function shapeOf(method: string, scope: Scope, subresource: string): string {
  return `${method} ${scope} ${subresource}`;
}

function groupRoutes(shape: (route: Route) => string): ReadonlyMap<string, readonly Route[]> {
  const groups = new Map<string, Route[]>();
  for (const route of ROUTES) {
    const group = groups.get(shape(route));
    if (group === undefined) groups.set(shape(route), [route]);
    else group.push(route);
  }
  return groups;
}

function subresourcesOf(scope: Scope): ReadonlySet<string> {
  const names = new Set<string>();
  for (const route of ROUTES) {
    if (route.scope === scope && route.subresource !== undefined) names.add(route.subresource);
  }
  return names;
}

/**
 * Names the operation that a request asks for, supported or not. Query parameters that select
 * nothing (`x-id`, `versionId`, `prefix`) are left to the operation.
 *
 * @throws S3Error MethodNotAllowed, or InvalidArgument for a combination that has no meaning.
 */
export function routeRequest(head: RequestHead): string {
  const scope = scopeOf(head);
  const subresource = selectSubresource(head, scope);
  const routes = ROUTES_BY_SHAPE.get(shapeOf(head.method, scope, subresource));
  const route = routes?.find((candidate) => matches(candidate, head));
  if (route === undefined) throw methodNotAllowed(head.method, scope, subresource);
  for (const name of route.required ?? []) {
    if (!head.query.has(name)) {
      const message = `This operation does not accept ${subresource} without ${name}`;
      throw invalidArgument(message, subresource, head.query.get(subresource) ?? '');
    }
  }
  if (subresource === 'list-type' && head.query.get('list-type') !== '2') {
    throw invalidArgument(
      'Invalid List Type Specified in URL',
      'list-type',
      head.query.get('list-type') ?? '',
    );
  }
  return route.operation;
}

function scopeOf({ isControl, bucket, key }: RequestHead): Scope {
  if (isControl) return 'account';
  if (bucket === null) return 'service';
  return key === null ? 'bucket' : 'object';
}

function selectSubresource(head: RequestHead, scope: Scope): string {
  let selected = '';
  if (head.query.size === 0) return selected;
  for (const name of head.query.keys()) {
    if (!SUBRESOURCES[scope].has(name)) continue;
    if (name === 'partNumber' && head.method !== 'PUT') continue;
    if (selected === '' || (PAIRED.has(selected) && PAIRED.has(name))) {
      selected = name;
    } else {
      throw invalidArgument(
        `Conflicting query string parameters: ${selected}, ${name}`,
        'ResourceType',
        selected,
      );
    }
  }
  return selected;
}

function matches(route: Route, head: RequestHead): boolean {
  return (
    (route.header === undefined || head.headers.has(route.header)) &&
    (route.parameter === undefined || head.query.has(route.parameter))
  );
}

function methodNotAllowed(method: string, scope: Scope, subresource: string): S3Error {
  const routes = METHODS_BY_TARGET.get(shapeOf('', scope, subresource)) ?? [];
  const allow = [...new Set(routes.map((route) => route.method))].join(', ');
  return new S3Error(
    'MethodNotAllowed',
    { Method: method, ResourceType: scope.toUpperCase() },
    { headers: { allow } },
  );
}
