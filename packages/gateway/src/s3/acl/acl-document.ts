import type { AccountDirectory } from '../../auth/accounts';
import type { XmlElement } from '../../http/xml/xml-element';
import { childrenOf, childText, parseXml, requireRoot } from '../../http/xml/xml-element';
import type { XmlFragment } from '../../http/xml/xml-writer';
import { element, elementOfType, textElement, xmlDocument } from '../../http/xml/xml-writer';
import type { AccessControlList, AclPermission, Grantee } from '../access-control-list';
import { ACL_PERMISSIONS } from '../access-control-list';
import { S3Error } from '../s3-error';
import { requireFewGrants } from './acl-headers';
import type { GranteeNaming } from './grantee';
import { resolveGrantee } from './grantee';

const NAMINGS: readonly (readonly [element: string, naming: GranteeNaming])[] = [
  ['ID', 'id'],
  ['URI', 'uri'],
  ['EmailAddress', 'emailAddress'],
];
const GRANTEE_ELEMENTS = ['ID', 'URI', 'EmailAddress', 'DisplayName'];

/**
 * The `AccessControlPolicy` of PutBucketAcl and PutObjectAcl. What a grantee is follows from its
 * element (`ID`, `URI`, `EmailAddress`), which `xsi:type` only repeats.
 *
 * @param owner canonical id of the owner, which no request can change.
 * @throws S3Error MalformedACLError, AccessDenied for another owner, InvalidArgument,
 *   UnresolvableGrantByEmailAddress.
 */
export function parseAclDocument(
  document: Uint8Array,
  owner: string,
  accounts: AccountDirectory,
): AccessControlList {
  const { ownerId, grants } = malformedAsAcl(() => readPolicy(document));
  if (ownerId !== null && ownerId !== owner) throw new S3Error('AccessDenied');
  return {
    grants: grants.map(({ naming, value, permission }) => ({
      // The owner may have been removed as an account; the list as it was read stays acceptable.
      grantee:
        naming === 'id' && value === owner
          ? { type: 'canonical-user', canonicalId: owner }
          : resolveGrantee(naming, value, accounts),
      permission,
    })),
  };
}

interface NamedGrant {
  readonly naming: GranteeNaming;
  readonly value: string;
  readonly permission: AclPermission;
}

function readPolicy(document: Uint8Array): {
  readonly ownerId: string | null;
  readonly grants: readonly NamedGrant[];
} {
  const root = requireRoot(parseXml(document), 'AccessControlPolicy');
  const children = childrenOf(root, ['Owner', 'AccessControlList']);
  const [list, secondList] = children.filter(({ name }) => name === 'AccessControlList');
  const [owner, secondOwner] = children.filter(({ name }) => name === 'Owner');
  if (list === undefined || secondList !== undefined || secondOwner !== undefined) {
    throw new S3Error('MalformedACLError');
  }
  const grants = childrenOf(list, ['Grant']);
  requireFewGrants(grants);
  return {
    ownerId: owner === undefined ? null : childText(owner, 'ID'),
    grants: grants.map(readGrant),
  };
}

function readGrant(grant: XmlElement): NamedGrant {
  const [grantee, another] = childrenOf(grant, ['Grantee', 'Permission']).filter(
    ({ name }) => name === 'Grantee',
  );
  const permission = ACL_PERMISSIONS.find((each) => each === childText(grant, 'Permission'));
  if (grantee === undefined || another !== undefined || permission === undefined) {
    throw new S3Error('MalformedACLError');
  }
  childrenOf(grantee, GRANTEE_ELEMENTS);
  const named = NAMINGS.flatMap(([name, naming]) => {
    const value = childText(grantee, name);
    return value === null ? [] : [{ naming, value }];
  });
  const [only] = named;
  if (only === undefined || named.length > 1) throw new S3Error('MalformedACLError');
  return { ...only, permission };
}

/** AWS has a code of its own for these documents. */
function malformedAsAcl<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof S3Error && error.code === 'MalformedXML') {
      throw new S3Error('MalformedACLError', {}, { cause: error });
    }
    throw error;
  }
}

/** Answers GetBucketAcl and GetObjectAcl. */
export function renderAcl(
  { grants }: AccessControlList,
  owner: string,
  accounts: AccountDirectory,
): string {
  return xmlDocument('AccessControlPolicy', [
    element('Owner', canonicalUser(owner, accounts)),
    element(
      'AccessControlList',
      grants.map(({ grantee, permission }) =>
        element('Grant', [renderGrantee(grantee, accounts), textElement('Permission', permission)]),
      ),
    ),
  ]);
}

function renderGrantee(grantee: Grantee, accounts: AccountDirectory): XmlFragment {
  return grantee.type === 'group'
    ? elementOfType('Grantee', 'Group', [textElement('URI', grantee.uri)])
    : elementOfType('Grantee', 'CanonicalUser', canonicalUser(grantee.canonicalId, accounts));
}

function canonicalUser(
  canonicalId: string,
  accounts: AccountDirectory,
): readonly (XmlFragment | null)[] {
  const account = accounts.byCanonicalId(canonicalId);
  return [
    textElement('ID', canonicalId),
    account === null ? null : textElement('DisplayName', account.displayName),
  ];
}
