import type { VersionHead } from '@azimuth/proto';

import type { S3Request } from '../../http/request';
import { objectTarget } from '../access-target';
import type { ObjectLocation } from '../bucket-access';
import { tagCountHeaders } from '../object-tags';
import { versionIdOf } from '../version-id';

/** `x-amz-tagging-count` for those who may read the tags themselves. */
export async function shownTagCount(
  location: ObjectLocation,
  head: VersionHead,
  { access, query }: S3Request,
): Promise<Record<string, string>> {
  const headers = tagCountHeaders(head.tags);
  if (Object.keys(headers).length === 0) return headers;
  const versionId = versionIdOf(query);
  const target = objectTarget(location, versionId, () => Promise.resolve(head));
  return (await access.isAllowed(readTagsAction(versionId), target)) ? headers : {};
}

/** V-13. */
export function readTagsAction(versionId: string | null): string {
  return versionId === null ? 's3:GetObjectTagging' : 's3:GetObjectVersionTagging';
}
