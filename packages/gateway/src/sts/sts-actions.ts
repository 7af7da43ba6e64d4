import { textElement } from '../http/xml/xml-writer';
import { ACCESS_KEY_ID } from '../iam/iam-limits';
import { QueryError } from '../query/query-error';
import { assumeRole, assumeRoleWithWebIdentity, refuseSecondFactor } from './assume-role';
import type { StsAction } from './sts-action';
import { credentialsElement } from './sts-action';
import { identityName } from '@azimuth/proto';

const DURATION_SECONDS_MIN = 900;
const USER_SECONDS_DEFAULT = 43_200;
const USER_SECONDS_MAX = 129_600;
/** Sessions of the root are short, as with AWS. */
const ROOT_SECONDS_MAX = 3_600;

/** Everybody may ask who they are. */
const getCallerIdentity: StsAction = {
  name: 'GetCallerIdentity',
  isUnsigned: false,
  run({ caller }) {
    if (caller === null) throw new QueryError('MissingAuthenticationToken');
    return Promise.resolve([
      textElement('UserId', caller.userId),
      textElement('Account', caller.accountId),
      textElement('Arn', caller.arn),
    ]);
  },
};

const getSessionToken: StsAction = {
  name: 'GetSessionToken',
  isUnsigned: false,
  async run({ caller, parameters, facts, snapshot, issue }) {
    if (caller === null) throw new QueryError('MissingAuthenticationToken');
    refuseSecondFactor(parameters);
    // Or a session could make itself longer, and leave its session policies behind.
    if (caller.session !== null || caller.kind === 'assumed-role') {
      throw new QueryError('AccessDenied', 'Cannot call GetSessionToken with session credentials');
    }
    const isRoot = caller.kind === 'root';
    const asked = parameters.optionalInteger(
      'DurationSeconds',
      DURATION_SECONDS_MIN,
      USER_SECONDS_MAX,
    );
    const user = isRoot
      ? null
      : snapshot.get('user', identityName(caller.accountId, caller.userName ?? ''));
    const credentials = await issue({
      accountId: caller.accountId,
      kind: isRoot ? 'root' : 'user',
      name: user?.userName ?? null,
      entityId: user?.userId ?? null,
      sessionName: null,
      policies: [],
      policyArns: [],
      claims: {},
      nowMs: facts.nowMs,
      durationSeconds: isRoot
        ? Math.min(asked ?? ROOT_SECONDS_MAX, ROOT_SECONDS_MAX)
        : (asked ?? USER_SECONDS_DEFAULT),
    });
    return [credentialsElement(credentials)];
  },
};

const getAccessKeyInfo: StsAction = {
  name: 'GetAccessKeyInfo',
  isUnsigned: false,
  async run({ caller, parameters, facts, snapshot, authorizer, root }) {
    if (caller === null) throw new QueryError('MissingAuthenticationToken');
    const accessKeyId = parameters.requiredText('AccessKeyId', ACCESS_KEY_ID);
    const isAllowed = await authorizer.isAllowed({
      principal: caller,
      action: 'sts:GetAccessKeyInfo',
      target: { bucket: null, bucketName: null, key: null, versionId: null, arn: '*' },
      facts,
    });
    if (!isAllowed) {
      throw new QueryError(
        'AccessDenied',
        `User: ${caller.arn} is not authorized to perform: sts:GetAccessKeyInfo`,
      );
    }
    const accountId =
      accessKeyId === root.accessKeyId
        ? root.accountId
        : (snapshot.get('access-key', accessKeyId)?.accountId ?? null);
    if (accountId === null) {
      throw new QueryError('ValidationError', 'The AccessKeyId is not known.');
    }
    return [textElement('Account', accountId)];
  },
};

/** Every action of the STS API that this gateway has, by its exact name. */
export const STS_ACTIONS: ReadonlyMap<string, StsAction> = new Map(
  [assumeRole, assumeRoleWithWebIdentity, getCallerIdentity, getSessionToken, getAccessKeyInfo].map(
    (action) => [action.name, action],
  ),
);
