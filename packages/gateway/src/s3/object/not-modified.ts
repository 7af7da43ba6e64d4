import type { VersionHead } from '@azimuth/proto';

import type { S3Response } from '../../http/response';
import { versionHeaders } from '../object-headers';

const KEPT = ['etag', 'last-modified', 'cache-control', 'expires', 'x-amz-version-id'] as const;

/** 304 without a body, with the headers that a cache needs to refresh its copy (C-2). */
export function notModified(head: VersionHead, isVersioned: boolean): S3Response {
  const all = versionHeaders(head, isVersioned);
  const headers: Record<string, string> = {};
  for (const name of KEPT) {
    const value = all[name];
    if (value !== undefined) headers[name] = value;
  }
  return { status: 304, headers };
}
