import { managedPolicy } from '../auth/managed-policies';
import { oidcProviderArn, parseIamArn, roleArn } from '../auth/arn';
import type { AccessRequest, Conditions } from '../auth/authorize';
import { conditionContext } from '../auth/policy/condition-keys';
import { decideAccess } from '../auth/policy/decide-access';
import { IdentityPolicyIndex } from '../auth/policy/identity-policies';
import { parsePolicyDocument } from '../auth/policy/parse-policy';
import { PolicyCache } from '../auth/policy/policy-cache';
import { namesOf } from '../auth/policy/policy-principal';
import { evaluateTrustPolicy, webIdentityNames } from '../auth/policy/trust-policy';
import { ANONYMOUS } from '../auth/principal';
import type { Principal } from '../auth/principal';
import type { RoleRecord } from '@azimuth/proto';
import { identityName } from '@azimuth/proto';

import type { XmlFragment } from '../http/xml/xml-writer';
import { element, optionalElement, textElement } from '../http/xml/xml-writer';
import { ARN, DOCUMENT } from '../iam/iam-limits';
import { QueryError, validationError } from '../query/query-error';
import type { QueryParameters } from '../query/query-parameters';
import type { SessionRequest } from './session-issuer';
import type { StsAction, StsCall } from './sts-action';
import { credentialsElement } from './sts-action';
import { verifyWebIdentityToken } from './web-identity-token';

const SESSION_NAME = { lengthMin: 2, lengthMax: 64, pattern: /^[\w+=,.@-]*$/ };
const EXTERNAL_ID = { lengthMin: 2, lengthMax: 1_224, pattern: /^[\w+=,.@:/-]*$/ };
const TOKEN = { lengthMin: 4, lengthMax: 20_000 };
const DURATION_SECONDS_MIN = 900;
const DURATION_SECONDS_DEFAULT = 3_600;
const DURATION_SECONDS_MAX = 43_200;
/** Of a role assumed by a session of a role. */
const CHAINED_SECONDS_MAX = 3_600;
const SESSION_POLICY_LENGTH_MAX = 2_048;
const POLICY_ARNS_MAX = 10;

/** @see https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html */
export const assumeRole: StsAction = {
  name: 'AssumeRole',
  isUnsigned: false,
  async run(call) {
    const { caller, parameters } = call;
    const arn = parameters.requiredText('RoleArn', ARN);
    const sessionName = parameters.requiredText('RoleSessionName', SESSION_NAME);
    refuseUnsupported(parameters);
    if (caller === null) throw new QueryError('MissingAuthenticationToken');
    if (caller.kind === 'root') {
      throw new QueryError('AccessDenied', 'Roles may not be assumed by root accounts.');
    }
    const sourceIdentity = parameters.optionalText('SourceIdentity', SESSION_NAME);
    const conditions: Record<string, readonly string[]> = {
      'sts:RoleSessionName': [sessionName],
      ...conditionOf('sts:ExternalId', parameters.optionalText('ExternalId', EXTERNAL_ID)),
      ...conditionOf('sts:SourceIdentity', sourceIdentity),
    };
    const role = findRole(call, arn);
    // A role that does not exist is refused as one that does not trust the caller.
    if (role === null || !isTrusted(role, caller, { call, conditions })) {
      throw new QueryError(
        'AccessDenied',
        `User: ${caller.arn} is not authorized to perform: sts:AssumeRole on resource: ${arn}`,
      );
    }
    const isChained = caller.kind === 'assumed-role';
    const secondsMax = isChained
      ? Math.min(role.maxSessionSeconds, CHAINED_SECONDS_MAX)
      : role.maxSessionSeconds;
    const request = sessionOfRole(role, sessionName, { call, secondsMax });
    const claims: Record<string, string> =
      sourceIdentity === null ? {} : { 'sts:SourceIdentity': sourceIdentity };
    const elements = await answerSession(role, { ...request, claims }, call);
    return [...elements, optionalElement('SourceIdentity', sourceIdentity)];
  },
};

/** @see https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html */
export const assumeRoleWithWebIdentity: StsAction = {
  name: 'AssumeRoleWithWebIdentity',
  isUnsigned: true,
  async run(call) {
    const { parameters, facts, issuers, snapshot } = call;
    const arn = parameters.requiredText('RoleArn', ARN);
    const sessionName = parameters.requiredText('RoleSessionName', SESSION_NAME);
    refuseUnsupported(parameters);
    const token = parameters.requiredText('WebIdentityToken', TOKEN);
    const identity = verifyWebIdentityToken(token, issuers, facts.nowMs);
    const url = identity.issuer.replace(/^https:\/\//, '');
    const role = findRole(call, arn);
    const accountId = role?.accountId ?? '';
    const provider = snapshot.get('oidc-provider', identityName(accountId, url));
    // An account that has the provider accepts the audiences that it names, and no other.
    if (provider !== null && !provider.clientIds.includes(identity.audience)) {
      throw new QueryError('InvalidIdentityToken', 'Incorrect token audience');
    }
    const claims = { [`${url}:sub`]: identity.subject, [`${url}:aud`]: identity.audience };
    const conditions: Conditions = {
      'sts:RoleSessionName': [sessionName],
      ...Object.fromEntries(Object.entries(claims).map(([key, value]) => [key, [value]])),
    };
    const isTrustedIdentity =
      role !== null &&
      evaluateTrustPolicy(role.assumeRolePolicy, {
        action: 'sts:AssumeRoleWithWebIdentity',
        names: webIdentityNames(oidcProviderArn({ accountId, url })),
        context: contextOf(ANONYMOUS, role, {
          call,
          conditions,
          action: 'sts:AssumeRoleWithWebIdentity',
        }),
      }) === 'allow';
    if (!isTrustedIdentity) {
      throw new QueryError(
        'AccessDenied',
        'Not authorized to perform sts:AssumeRoleWithWebIdentity',
      );
    }
    const secondsMax = role.maxSessionSeconds;
    const request = sessionOfRole(role, sessionName, { call, secondsMax });
    const elements = await answerSession(role, { ...request, claims }, call);
    return [
      ...elements,
      textElement('SubjectFromWebIdentityToken', identity.subject),
      textElement('Provider', identity.issuer),
      textElement('Audience', identity.audience),
    ];
  },
};

interface TrustSources {
  readonly call: StsCall;
  readonly conditions: Conditions;
}

/** The trust policy must name the caller or the caller's account, and nothing of the caller deny. */
function isTrusted(role: RoleRecord, caller: Principal, sources: TrustSources): boolean {
  const { snapshot } = sources.call;
  const cache = new PolicyCache();
  const identity = new IdentityPolicyIndex(cache).of(caller, snapshot);
  const names = namesOf(caller, identity.roleArn);
  const action = 'sts:AssumeRole';
  const context = contextOf(caller, role, { ...sources, action, callerRoleArn: identity.roleArn });
  const trust = evaluateTrustPolicy(role.assumeRolePolicy, { action, names, context });
  if (trust === 'deny' || trust === 'none') return false;
  const isOwn = role.accountId === caller.accountId;
  return decideAccess({
    question: { action: action.toLowerCase(), resource: roleArn(role), context, names },
    identity: identity.policies,
    boundary: identity.boundary,
    session: (caller.session?.policies ?? []).map((text) => cache.compile(text, 'identity')),
    bucketPolicy: parsePolicyDocument(role.assumeRolePolicy, 'trust'),
    isRestricted: false,
    isBucketOwner: isOwn,
    isOwner: isOwn,
    isBucketOwners: true,
    acl: 'none',
    isOwnerGranted: true,
  });
}

function contextOf(
  principal: Principal,
  role: RoleRecord,
  sources: TrustSources & { readonly action: string; readonly callerRoleArn?: string | null },
): ReturnType<typeof conditionContext> {
  const { call, conditions, action, callerRoleArn = null } = sources;
  const request: AccessRequest = {
    principal,
    action,
    target: { bucket: null, bucketName: null, key: null, versionId: null, arn: roleArn(role) },
    facts: call.facts,
    conditions,
  };
  return conditionContext({
    request,
    roleArn: callerRoleArn,
    region: call.region,
    resourceAccountId: role.accountId,
    object: null,
  });
}

function findRole({ snapshot }: StsCall, arn: string): RoleRecord | null {
  const parsed = parseIamArn(arn);
  if (parsed?.type !== 'role') return null;
  const role = snapshot.get('role', identityName(parsed.accountId, parsed.name));
  return role !== null && roleArn(role) === arn ? role : null;
}

/** @throws QueryError ValidationError, MalformedPolicyDocument, PackedPolicyTooLarge */
function sessionOfRole(
  role: RoleRecord,
  sessionName: string,
  { call, secondsMax }: { readonly call: StsCall; readonly secondsMax: number },
): Omit<SessionRequest, 'claims'> {
  const { parameters, snapshot, facts } = call;
  const durationSeconds =
    parameters.optionalInteger('DurationSeconds', DURATION_SECONDS_MIN, DURATION_SECONDS_MAX) ??
    Math.min(DURATION_SECONDS_DEFAULT, secondsMax);
  if (durationSeconds > secondsMax) {
    throw new QueryError(
      'ValidationError',
      secondsMax < role.maxSessionSeconds
        ? 'The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by ' +
            'role chaining.'
        : 'The requested DurationSeconds exceeds the MaxSessionDuration set for this role.',
    );
  }
  const policy = parameters.optionalText('Policy', DOCUMENT);
  const policyArns = parameters.structures('PolicyArns').map((each) => each.required('arn'));
  const isTooLong = (policy?.length ?? 0) > SESSION_POLICY_LENGTH_MAX;
  if (isTooLong || policyArns.length > POLICY_ARNS_MAX)
    throw new QueryError('PackedPolicyTooLarge');
  if (policy !== null) parsePolicyDocument(policy, 'identity');
  for (const arn of policyArns) {
    const accountId = parseIamArn(arn)?.accountId;
    const isUsable = accountId === role.accountId || accountId === 'aws';
    if (!isUsable || managedPolicy(snapshot, arn) === null) {
      throw validationError('PolicyArns', arn, 'name policies of the account of the role');
    }
  }
  return {
    accountId: role.accountId,
    kind: 'assumed-role',
    name: role.roleName,
    entityId: role.roleId,
    sessionName,
    policies: policy === null ? [] : [policy],
    policyArns,
    nowMs: facts.nowMs,
    durationSeconds,
  };
}

async function answerSession(
  role: RoleRecord,
  request: SessionRequest,
  call: StsCall,
): Promise<readonly (XmlFragment | null)[]> {
  const credentials = await call.issue(request);
  const { sessionName, policies, policyArns } = request;
  const sessionArn = `arn:aws:sts::${role.accountId}:assumed-role/${role.roleName}/${sessionName}`;
  const packedLength = [...policies, ...policyArns].join('').length;
  return [
    credentialsElement(credentials),
    element('AssumedRoleUser', [
      textElement('AssumedRoleId', `${role.roleId}:${sessionName}`),
      textElement('Arn', sessionArn),
    ]),
    packedLength === 0
      ? null
      : textElement(
          'PackedPolicySize',
          Math.min(100, Math.ceil((packedLength / SESSION_POLICY_LENGTH_MAX) * 100)),
        ),
  ];
}

/** What would change what a session may do is refused rather than forgotten. */
function refuseUnsupported(parameters: QueryParameters): void {
  if (parameters.structures('Tags').length > 0 || parameters.list('TransitiveTagKeys').length > 0) {
    throw new QueryError('NotImplemented', 'This server does not implement session tags.');
  }
  if (parameters.structures('ProvidedContexts').length > 0) {
    throw new QueryError('NotImplemented', 'This server does not implement provided contexts.');
  }
  refuseSecondFactor(parameters);
}

/** @throws QueryError AccessDenied: nobody can prove a second factor here. */
export function refuseSecondFactor(parameters: QueryParameters): void {
  if (parameters.optional('SerialNumber') === null && parameters.optional('TokenCode') === null) {
    return;
  }
  throw new QueryError(
    'AccessDenied',
    'MultiFactorAuthentication failed with invalid MFA one time pass code.',
  );
}

function conditionOf(key: string, value: string | null): Conditions {
  return value === null ? {} : { [key]: [value] };
}
