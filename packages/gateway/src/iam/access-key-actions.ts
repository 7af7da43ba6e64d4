import type { AccessKeyRecord } from '@azimuth/proto';

import { element, optionalElement, textElement } from '../http/xml/xml-writer';
import { dateElement, memberList } from '../query/query-document';
import { QueryError } from '../query/query-error';
import { pageOf } from '../query/query-page';
import { requireModifiable } from './account-identities';
import type { IamAction } from './iam-action';
import { answer, done, randomLetters } from './iam-action';
import { requireRoom } from './iam-input';
import { ACCESS_KEY_ID, ACCESS_KEYS_PER_USER_MAX } from './iam-limits';
import { keysOf, ownResource, userNameOrOwn, userResource } from './user-actions';

const ID_RANDOM_LENGTH = 16;
const SECRET_BYTES = 30;

const createAccessKey: IamAction = {
  name: 'CreateAccessKey',
  resource: ownResource,
  run(call) {
    const { account, random, nowMs } = call;
    const name = userNameOrOwn(call);
    // The user as it is stored: the key must not carry another spelling of its name.
    const userName = name === null ? null : account.requireUser(name).userName;
    requireRoom(keysOf(account, userName).length, ACCESS_KEYS_PER_USER_MAX, 'AccessKeysPerUser');
    const record: AccessKeyRecord = {
      accessKeyId: `AKIA${randomLetters(random, ID_RANDOM_LENGTH)}`,
      secretKey: random.bytes(SECRET_BYTES).toString('base64'),
      accountId: account.accountId,
      userName,
      isActive: true,
      createdMs: nowMs,
      isDeclared: false,
    };
    if (account.hasAccessKey(record.accessKeyId)) throw new QueryError('ServiceFailure');
    return {
      changes: [{ kind: 'access-key', name: record.accessKeyId, record }],
      result: [
        element('AccessKey', [
          optionalElement('UserName', userName),
          textElement('AccessKeyId', record.accessKeyId),
          statusElement(record),
          // The only time that it is ever shown.
          textElement('SecretAccessKey', record.secretKey),
          dateElement('CreateDate', nowMs),
        ]),
      ],
    };
  },
};

const listAccessKeys: IamAction = {
  name: 'ListAccessKeys',
  resource: ownResource,
  run(call) {
    const { account, parameters } = call;
    const userName = userNameOrOwn(call);
    if (userName !== null) account.requireUser(userName);
    const page = pageOf(keysOf(account, userName), ({ accessKeyId }) => accessKeyId, parameters);
    const members = page.items.map((key) => [
      optionalElement('UserName', key.userName),
      textElement('AccessKeyId', key.accessKeyId),
      statusElement(key),
      dateElement('CreateDate', key.createdMs),
    ]);
    return answer([
      optionalElement('UserName', userName),
      memberList('AccessKeyMetadata', members),
      ...page.elements,
    ]);
  },
};

const updateAccessKey: IamAction = {
  name: 'UpdateAccessKey',
  resource: ownResource,
  run(call) {
    const { account, parameters } = call;
    const accessKeyId = parameters.requiredText('AccessKeyId', ACCESS_KEY_ID);
    parameters.required('Status');
    const status = parameters.optionalChoice('Status', ['Active', 'Inactive'] as const);
    const key = account.requireAccessKey(accessKeyId, userNameOrOwn(call));
    requireModifiable(key, `Access key ${accessKeyId}`);
    const record: AccessKeyRecord = { ...key, isActive: status === 'Active' };
    return done({ kind: 'access-key', name: accessKeyId, record });
  },
};

const deleteAccessKey: IamAction = {
  name: 'DeleteAccessKey',
  resource: ownResource,
  run(call) {
    const accessKeyId = call.parameters.requiredText('AccessKeyId', ACCESS_KEY_ID);
    const key = call.account.requireAccessKey(accessKeyId, userNameOrOwn(call));
    requireModifiable(key, `Access key ${accessKeyId}`);
    return done({ kind: 'access-key', name: accessKeyId, record: null });
  },
};

/** When keys are used is not recorded: a write for every read would cost more than it tells. */
const getAccessKeyLastUsed: IamAction = {
  name: 'GetAccessKeyLastUsed',
  resource({ account, parameters, caller }) {
    const key = account.accessKey(parameters.requiredText('AccessKeyId', ACCESS_KEY_ID));
    return key?.userName == null ? caller.arn : userResource(account, key.userName);
  },
  run({ account, parameters }) {
    const accessKeyId = parameters.requiredText('AccessKeyId', ACCESS_KEY_ID);
    const key = account.accessKey(accessKeyId);
    if (key === null) {
      throw new QueryError(
        'AccessDenied',
        `The Access Key with id ${accessKeyId} does not belong to this account.`,
      );
    }
    return answer([
      optionalElement('UserName', key.userName),
      element('AccessKeyLastUsed', [
        textElement('ServiceName', 'N/A'),
        textElement('Region', 'N/A'),
      ]),
    ]);
  },
};

function statusElement({ isActive }: AccessKeyRecord): ReturnType<typeof textElement> {
  return textElement('Status', isActive ? 'Active' : 'Inactive');
}

export const ACCESS_KEY_ACTIONS: readonly IamAction[] = [
  createAccessKey,
  listAccessKeys,
  updateAccessKey,
  deleteAccessKey,
  getAccessKeyLastUsed,
];
