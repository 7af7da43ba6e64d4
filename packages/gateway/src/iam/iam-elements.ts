import type { GroupRecord, PolicyRecord, RoleRecord, UserRecord } from '@azimuth/proto';

import { groupArn, policyArn, roleArn, userArn } from '../auth/arn';
import type { XmlFragment } from '../http/xml/xml-writer';
import { element, optionalElement, textElement } from '../http/xml/xml-writer';
import { dateElement, memberList } from '../query/query-document';
import type { AccountIdentities } from './account-identities';

/** Entities as IAM's documents show them; lists leave tags and boundaries out, as AWS does. */
type Children = readonly (XmlFragment | null)[];

export function userElements(user: UserRecord): Children {
  return [
    textElement('Path', user.path),
    textElement('UserName', user.userName),
    textElement('UserId', user.userId),
    textElement('Arn', userArn(user)),
    dateElement('CreateDate', user.createdMs),
  ];
}

export function userDetailElements(user: UserRecord): Children {
  return [...userElements(user), boundaryElement(user), tagsElement(user.tags)];
}

export function groupElements(group: GroupRecord): Children {
  return [
    textElement('Path', group.path),
    textElement('GroupName', group.groupName),
    textElement('GroupId', group.groupId),
    textElement('Arn', groupArn(group)),
    dateElement('CreateDate', group.createdMs),
  ];
}

export function roleElements(role: RoleRecord): Children {
  return [
    textElement('Path', role.path),
    textElement('RoleName', role.roleName),
    textElement('RoleId', role.roleId),
    textElement('Arn', roleArn(role)),
    dateElement('CreateDate', role.createdMs),
    documentElement('AssumeRolePolicyDocument', role.assumeRolePolicy),
    optionalElement('Description', role.description === '' ? null : role.description),
    textElement('MaxSessionDuration', role.maxSessionSeconds),
  ];
}

export function roleDetailElements(role: RoleRecord): Children {
  return [
    ...roleElements(role),
    boundaryElement(role),
    tagsElement(role.tags),
    element('RoleLastUsed', []),
  ];
}

export function policyElements(policy: PolicyRecord, account: AccountIdentities): Children {
  const arn = policyArn(policy);
  return [
    textElement('PolicyName', policy.policyName),
    textElement('PolicyId', policy.policyId),
    textElement('Arn', arn),
    textElement('Path', policy.path),
    textElement('DefaultVersionId', policy.defaultVersionId),
    textElement('AttachmentCount', holdersOf(arn, account).length),
    textElement('PermissionsBoundaryUsageCount', boundedBy(arn, account).length),
    textElement('IsAttachable', true),
    dateElement('CreateDate', policy.createdMs),
    dateElement('UpdateDate', policy.updatedMs),
  ];
}

export function policyDetailElements(policy: PolicyRecord, account: AccountIdentities): Children {
  return [
    ...policyElements(policy, account),
    optionalElement('Description', policy.description === '' ? null : policy.description),
    tagsElement(policy.tags),
  ];
}

export function policyVersionElements(
  policy: PolicyRecord,
  version: PolicyRecord['versions'][number],
  showsDocument: boolean,
): Children {
  return [
    showsDocument ? documentElement('Document', version.document) : null,
    textElement('VersionId', version.versionId),
    textElement('IsDefaultVersion', version.versionId === policy.defaultVersionId),
    dateElement('CreateDate', version.createdMs),
  ];
}

/** Users, groups and roles to which a policy is attached. */
export function holdersOf(
  arn: string,
  { users, groups, roles }: AccountIdentities,
): readonly (UserRecord | GroupRecord | RoleRecord)[] {
  return [...users, ...groups, ...roles].filter(({ attachedPolicyArns }) =>
    attachedPolicyArns.includes(arn),
  );
}

/** Users and roles that a policy bounds. */
export function boundedBy(
  arn: string,
  { users, roles }: AccountIdentities,
): readonly (UserRecord | RoleRecord)[] {
  return [...users, ...roles].filter(
    ({ permissionsBoundaryArn }) => permissionsBoundaryArn === arn,
  );
}

/** Policy documents travel URL-encoded (RFC 3986) inside the XML. */
export function documentElement(name: string, document: string): XmlFragment {
  const encoded = encodeURIComponent(document).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return textElement(name, encoded);
}

export function boundaryElement({
  permissionsBoundaryArn: arn,
}: Pick<UserRecord, 'permissionsBoundaryArn'>): XmlFragment | null {
  if (arn === null) return null;
  return element('PermissionsBoundary', [
    textElement('PermissionsBoundaryType', 'Policy'),
    textElement('PermissionsBoundaryArn', arn),
  ]);
}

export function tagsElement(tags: Readonly<Record<string, string>>): XmlFragment | null {
  const entries = Object.entries(tags);
  return entries.length === 0 ? null : memberList('Tags', entries.map(tagElements));
}

export function tagElements([key, value]: readonly [string, string]): Children {
  return [textElement('Key', key), textElement('Value', value)];
}
