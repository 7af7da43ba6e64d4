import type { S3Request } from '../../http/request';
import { objectTarget } from '../access-target';
import type { CopySource } from '../copy-source';
import { parseCopyDirective } from '../object-headers';
import type { ObjectTags } from '../object-tags';
import { parseTaggingHeader } from '../object-tags';
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
 * The tags that the copy gets; null for none. To copy them is to read them, which needs a permission
 * of its own.
 */
export async function tagsOfCopy(
  wanted: TagsOfCopy,
  source: CopySource,
  { version, location }: CopiedVersion,
  { access }: S3Request,
): Promise<ObjectTags | null> {
  if (wanted.directive === 'REPLACE') return wanted.tags;
  const { head } = version;
  if (Object.keys(head.tags).length === 0) return null;
  const target = objectTarget(location, source.versionId, () => Promise.resolve(head));
  await access.require(readTagsAction(source.versionId), target);
  return head.tags;
}
