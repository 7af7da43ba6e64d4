import type { AccountDirectory } from '../../auth/accounts';
import type { Headers } from '../../http/request';
import {
  childrenOf,
  childText,
  malformedXml,
  parseXml,
  requireRoot,
} from '../../http/xml/xml-element';
import { isPublicAcl } from '../access-control-list';
import { grantsOf, parseAclHeaders } from '../acl/acl-headers';
import { isOwnerOnly } from '../acl/object-acl';
import type { BucketConfigurations, ObjectOwnership } from '../bucket-configuration';
import { EVERYTHING_BLOCKED, parseObjectOwnership } from '../bucket-configuration';
import { BUCKET_TAG_LIMIT, parseTagSet } from '../object-tags';
import { invalidArgument, S3Error } from '../s3-error';

/**
 * The configurations that a bucket starts with: no ACLs and nothing public, unless the request says
 * otherwise (P-5, P-8).
 *
 * @param owner canonical id of whoever makes the bucket.
 * @throws S3Error NotImplemented, InvalidArgument, InvalidBucketAclWithObjectOwnership,
 *   InvalidBucketAclWithBlockPublicAccessError, and what parsing ACL headers throws.
 */
export function firstConfigurations(
  headers: Headers,
  owner: string,
  accounts: AccountDirectory,
): Partial<BucketConfigurations> {
  refuseUnimplemented(headers);
  const ownership = parseOwnershipHeader(headers);
  const configurations = { ownership, 'public-access-block': EVERYTHING_BLOCKED };
  const requested = parseAclHeaders(headers, 'bucket', accounts);
  if (requested === null) return configurations;
  const acl = grantsOf(requested, { resource: 'bucket', owner, bucketOwner: owner });
  if (isOwnerOnly(acl.grants, owner)) return configurations;
  if (ownership === 'BucketOwnerEnforced') {
    throw new S3Error('InvalidBucketAclWithObjectOwnership');
  }
  if (isPublicAcl(acl)) throw new S3Error('InvalidBucketAclWithBlockPublicAccessError');
  return { ...configurations, acl };
}

function parseOwnershipHeader(headers: Headers): ObjectOwnership {
  const name = 'x-amz-object-ownership';
  const text = headers.get(name) ?? '';
  if (text === '') return 'BucketOwnerEnforced';
  const ownership = parseObjectOwnership(text);
  if (ownership === null)
    throw invalidArgument('Invalid x-amz-object-ownership header', name, text);
  return ownership;
}

/** What a bucket cannot be yet is refused rather than forgotten. */
function refuseUnimplemented(headers: Headers): void {
  const objectLock = 'x-amz-bucket-object-lock-enabled';
  const lockEnabled = headers.get(objectLock)?.toLowerCase() ?? 'false';
  if (lockEnabled !== 'false') throw new S3Error('NotImplemented', { Header: objectLock });
  const namespace = headers.get('x-amz-bucket-namespace') ?? 'global';
  if (namespace !== 'global') {
    throw new S3Error('NotImplemented', { Header: 'x-amz-bucket-namespace' });
  }
}

/** Of directory buckets. */
const NOT_IMPLEMENTED_ELEMENTS = ['Location', 'Bucket'];

/**
 * Checks `CreateBucketConfiguration` and answers the tags in it, null without any. A bucket lives
 * in the region of the cluster; without a constraint that is meant.
 *
 * @throws S3Error MalformedXML, NotImplemented, InvalidTag, BadRequest,
 *   IllegalLocationConstraintException, InvalidLocationConstraint.
 */
export function parseBucketDocument(
  document: Buffer,
  region: string,
): BucketConfigurations['tagging'] | null {
  if (document.byteLength === 0) return null;
  const root = requireRoot(parseXml(document), 'CreateBucketConfiguration');
  const children = childrenOf(root, ['LocationConstraint', 'Tags', ...NOT_IMPLEMENTED_ELEMENTS]);
  for (const { name } of children) {
    if (!NOT_IMPLEMENTED_ELEMENTS.includes(name)) continue;
    const message = 'An element you provided implies functionality that is not implemented';
    throw new S3Error('NotImplemented', { Element: name }, { message });
  }
  checkLocation(childText(root, 'LocationConstraint')?.trim() ?? '', region);
  const [tags, another] = children.filter(({ name }) => name === 'Tags');
  if (another !== undefined) throw malformedXml();
  if (tags === undefined || tags.children.length === 0) return null;
  return parseTagSet(tags, BUCKET_TAG_LIMIT);
}

function checkLocation(constraint: string, region: string): void {
  if (constraint === '' || constraint === region) return;
  if (/^[a-z]{2}(?:-[a-z]+)+-\d+$/.test(constraint)) {
    throw new S3Error(
      'IllegalLocationConstraintException',
      {},
      {
        message:
          `The ${constraint} location constraint is incompatible for the region specific ` +
          'endpoint this request was sent to.',
      },
    );
  }
  throw new S3Error('InvalidLocationConstraint', { LocationConstraint: constraint });
}
