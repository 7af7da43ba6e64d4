import type { VersionHead } from '@azimuth/proto';

import { COPY_SOURCE_HEADER, parseCopySource } from '../../s3/copy-source';
import type { AccessRequest } from '../authorize';
import { normalizedIp } from './ip-range';
import type { VariableSource } from './policy-pattern';

/** Everything that conditions and variables of policies can ask for. */
export interface ConditionSources {
  readonly request: AccessRequest;
  /** Of a session of a role. */
  readonly roleArn: string | null;
  readonly region: string;
  /** Of the owner of the bucket; null for actions on no bucket. */
  readonly resourceAccountId: string | null;
  /** The version that is acted upon, when some policy asks for its tags. */
  readonly object: VersionHead | null;
}

type Read = (sources: ConditionSources) => string | null | undefined;

const PRINCIPAL_TYPES = {
  anonymous: 'Anonymous',
  root: 'Account',
  user: 'User',
  'assumed-role': 'AssumedRole',
} as const;

/** Keys that are about whoever asks and about the way here. */
const GLOBAL_KEYS: readonly (readonly [string, Read])[] = [
  ['aws:SourceIp', ({ request }) => normalizedIp(request.facts.sourceIp) || null],
  ['aws:SecureTransport', ({ request }) => String(request.facts.isSecure)],
  ['aws:CurrentTime', ({ request }) => new Date(request.facts.nowMs).toISOString()],
  ['aws:EpochTime', ({ request }) => String(Math.floor(request.facts.nowMs / 1000))],
  ['aws:UserAgent', ({ request }) => request.facts.headers.get('user-agent')],
  ['aws:Referer', ({ request }) => request.facts.headers.get('referer')],
  ['aws:PrincipalArn', ({ request, roleArn }) => roleArn ?? named(request)?.arn],
  ['aws:PrincipalAccount', ({ request }) => named(request)?.accountId],
  ['aws:PrincipalType', ({ request }) => PRINCIPAL_TYPES[request.principal.kind]],
  ['aws:username', ({ request }) => request.principal.userName],
  ['aws:userid', ({ request }) => request.principal.userId],
  ['aws:TokenIssueTime', ({ request }) => issueTime(request)],
  // Nobody can prove a second factor here; AWS has the key for temporary credentials only.
  ['aws:MultiFactorAuthPresent', ({ request }) => request.principal.session && 'false'],
  ['aws:RequestedRegion', ({ region }) => region],
  ['aws:ViaAWSService', () => 'false'],
  ['aws:PrincipalIsAWSService', () => 'false'],
  ['aws:ResourceAccount', ({ resourceAccountId }) => resourceAccountId],
  ['s3:ResourceAccount', ({ resourceAccountId }) => resourceAccountId],
  ['s3:TlsVersion', ({ request }) => request.facts.tlsVersion],
  ['s3:authType', ({ request }) => request.facts.signature?.type],
  ['s3:signatureversion', ({ request }) => request.facts.signature?.version],
  ['s3:signatureAge', ({ request }) => signatureAge(request)],
  ['s3:x-amz-content-sha256', ({ request }) => request.facts.signature?.contentSha256],
];

/** Condition key → the header of the request that says it. No other header is ever looked at. */
const HEADER_KEYS: Readonly<Record<string, string>> = {
  's3:x-amz-acl': 'x-amz-acl',
  's3:x-amz-grant-full-control': 'x-amz-grant-full-control',
  's3:x-amz-grant-read': 'x-amz-grant-read',
  's3:x-amz-grant-read-acp': 'x-amz-grant-read-acp',
  's3:x-amz-grant-write': 'x-amz-grant-write',
  's3:x-amz-grant-write-acp': 'x-amz-grant-write-acp',
  's3:x-amz-metadata-directive': 'x-amz-metadata-directive',
  's3:x-amz-object-ownership': 'x-amz-object-ownership',
  's3:x-amz-server-side-encryption': 'x-amz-server-side-encryption',
  's3:x-amz-server-side-encryption-aws-kms-key-id': 'x-amz-server-side-encryption-aws-kms-key-id',
  's3:x-amz-server-side-encryption-customer-algorithm':
    'x-amz-server-side-encryption-customer-algorithm',
  's3:x-amz-storage-class': 'x-amz-storage-class',
  's3:x-amz-website-redirect-location': 'x-amz-website-redirect-location',
  's3:object-lock-mode': 'x-amz-object-lock-mode',
  's3:object-lock-retain-until-date': 'x-amz-object-lock-retain-until-date',
  's3:object-lock-legal-hold': 'x-amz-object-lock-legal-hold',
  's3:if-match': 'if-match',
  's3:if-none-match': 'if-none-match',
};

const LIST_ACTIONS: ReadonlySet<string> = new Set([
  's3:ListBucket',
  's3:ListBucketVersions',
  's3:ListBucketMultipartUploads',
]);

/** P-11: what the request says; without a prefix it lists everything. */
const REQUEST_KEYS: readonly (readonly [string, Read])[] = [
  ['s3:prefix', ({ request }) => listed(request, 'prefix') ?? (isList(request) ? '' : null)],
  ['s3:delimiter', ({ request }) => listed(request, 'delimiter')],
  ['s3:max-keys', ({ request }) => listed(request, 'max-keys')],
  ['s3:VersionId', ({ request }) => request.target.versionId],
  [
    's3:LocationConstraint',
    ({ request, region }) =>
      request.action === 's3:CreateBucket' && hasBody(request) ? region : null,
  ],
  ['s3:object-lock-remaining-retention-days', ({ request }) => remainingDays(request)],
];

const READERS: ReadonlyMap<string, Read> = new Map(
  [
    ...GLOBAL_KEYS,
    ...REQUEST_KEYS,
    ...Object.entries(HEADER_KEYS).map(([key, header]): readonly [string, Read] => [
      key,
      ({ request }) => request.facts.headers.get(header),
    ]),
  ].map(([key, read]) => [key.toLowerCase(), read]),
);

const OBJECT_TAG = 's3:existingobjecttag/';
const COPY_SOURCE = 's3:x-amz-copy-source';

/** The values of condition keys by lower-case name, each looked up when it is asked for. */
export function conditionContext(sources: ConditionSources): VariableSource {
  return (key) => {
    // What the operation knows is nearer to the truth than what the headers say.
    const given = valuesOf(sources.request.conditions, key);
    if (given !== undefined) return given;
    if (key === COPY_SOURCE) return copySources(sources.request);
    if (key.startsWith(OBJECT_TAG)) {
      return valuesOfTag(sources.object, key.slice(OBJECT_TAG.length));
    }
    const read = READERS.get(key);
    if (read !== undefined) {
      const value = read(sources);
      return value == null ? undefined : [value];
    }
    return claimed(sources, key);
  };
}

function valuesOf(
  conditions: AccessRequest['conditions'],
  key: string,
): readonly string[] | undefined {
  if (conditions === undefined) return undefined;
  for (const name of Object.keys(conditions)) {
    if (name.toLowerCase() === key) return conditions[name];
  }
  return undefined;
}

function valuesOfTag(object: VersionHead | null, key: string): readonly string[] | undefined {
  const tags = Object.entries(object?.tags ?? {});
  const values = tags.filter(([name]) => name.toLowerCase() === key).map(([, value]) => value);
  return values.length === 0 ? undefined : values;
}

/** Of an identity provider, which has no say about the keys of AWS and S3. */
function claimed({ request }: ConditionSources, key: string): readonly string[] | undefined {
  const claims = request.principal.session?.claims;
  if (claims === undefined || key.startsWith('aws:') || key.startsWith('s3:')) return undefined;
  const found = Object.entries(claims).find(([name]) => name.toLowerCase() === key);
  return found === undefined ? undefined : [found[1]];
}

/** Policies name the source with and without the slash before it; the header may have either. */
function copySources({ facts }: AccessRequest): readonly string[] | undefined {
  if (!facts.headers.has(COPY_SOURCE_HEADER)) return undefined;
  const { bucket, key } = parseCopySource(facts.headers);
  return [`${bucket}/${key}`, `/${bucket}/${key}`];
}

function named({ principal }: AccessRequest): AccessRequest['principal'] | null {
  return principal.kind === 'anonymous' ? null : principal;
}

function issueTime({ principal }: AccessRequest): string | null {
  return principal.session === null ? null : new Date(principal.session.issuedMs).toISOString();
}

function signatureAge({ facts }: AccessRequest): string | null {
  return facts.signature === null ? null : String(Math.max(0, facts.signature.ageMs));
}

function isList({ action }: AccessRequest): boolean {
  return LIST_ACTIONS.has(action);
}

function listed(request: AccessRequest, parameter: string): string | undefined {
  return isList(request) ? request.facts.query.get(parameter) : undefined;
}

function hasBody({ facts }: AccessRequest): boolean {
  const length = facts.headers.get('content-length');
  return length !== undefined ? length !== '0' : facts.headers.has('transfer-encoding');
}

const DAY_MS = 24 * 3600 * 1000;

function remainingDays({ facts }: AccessRequest): string | null {
  const untilMs = Date.parse(facts.headers.get('x-amz-object-lock-retain-until-date') ?? '');
  return Number.isNaN(untilMs) ? null : String(Math.ceil((untilMs - facts.nowMs) / DAY_MS));
}
