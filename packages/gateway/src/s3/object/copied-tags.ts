import type { S3Request } from '../../http/request';
import { objectTarget } from '../access-target';
import type { ObjectLocation } from '../bucket-access';
import { parseCopyDirective } from '../object-headers';
import type { ObjectTags } from '../object-tags';
import { parseTaggingHeader, requestTagConditions } from '../object-tags';
import type { CopiedVersion } from './copied-version';
import { readTagsAction } from './tag-count';

/** Tags of a copy: the source's, or those of the header. */
export type TagsOfCopy =
  | { readonly directive: 'COPY' }
  | { readonly directive: 'REPLACE'; readonly tags: ObjectTags | null };

/** `x-amz-tagging` counts with the directive REPLACE only, as AWS has it. */
export function parseTagsOfCopy({ headers }: S3Request): TagsOfCopy {
  const directive = parseCopyDirective(headers, 'tagging');
  const tags = parseTaggingHeader(headers);
  return directive === 'REPLACE' ? { directive, tags } : { directive };
}

/**
 * The tags that the copy gets; null for none. To copy tags is to read and to write them, which
 * needs the permission for either; that for tags in the header was asked before.
 */
export async function tagsOfCopy(
  wanted: TagsOfCopy,
  { source, version, location }: CopiedVersion,
  destination: ObjectLocation,
  { access }: S3Request,
): Promise<ObjectTags | null> {
  if (wanted.directive === 'REPLACE') return wanted.tags;
  const { head } = version;
  const { tags } = head;
  if (Object.keys(tags).length === 0) return null;
  const from = objectTarget(location, source.versionId, () => Promise.resolve(head));
  await access.require(readTagsAction(source.versionId), from);
  const to = { ...objectTarget(destination, null), isNew: true };
  await access.require('s3:PutObjectTagging', to, requestTagConditions(tags));
  return tags;
}
