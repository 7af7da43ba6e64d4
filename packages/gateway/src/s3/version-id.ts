import type { Query } from '../http/request';
import { invalidArgument } from './s3-error';

/** The version of an object that was written while its bucket had no versioning (V-2). */
export const NULL_VERSION = 'null';

/**
 * The `versionId` query parameter; null when absent.
 *
 * @throws S3Error InvalidArgument when empty (V-9) or malformed (V-8).
 */
export function versionIdOf(query: Query): string | null {
  const text = query.get('versionId');
  return text === undefined ? null : parseVersionId(text);
}

/** What makes a version cannot be about one. @throws S3Error InvalidArgument. */
export function refuseVersionId(query: Query): void {
  const text = query.get('versionId');
  if (text === undefined) return;
  throw invalidArgument('This operation does not accept a version-id.', 'versionId', text);
}

/** A version id from elsewhere; `name` is the argument that errors blame. */
export function parseVersionId(text: string, name = 'versionId'): string {
  if (text === '') throw invalidArgument('Version id cannot be the empty string', name, '');
  if (text !== NULL_VERSION && !/^[0-9A-Za-z]{32}$/.test(text)) {
    throw invalidArgument('Invalid version id specified', name, text);
  }
  return text;
}
