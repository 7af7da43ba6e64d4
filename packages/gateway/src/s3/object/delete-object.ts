import type { Headers } from '../../http/request';
import { isVersioned, requireWritableObject } from '../bucket-access';
import type { Operation } from '../operation';
import { parseEntityTags } from '../precondition';
import { invalidArgument, S3Error } from '../s3-error';
import { versionIdOf } from '../version-id';
import type { DeleteConditions } from './delete-precondition';
import { parseConditionSize, parseConditionTime } from './delete-precondition';
import { deleteVersion } from './deleted-version';

/** "Delete unless it matches" does not exist in the API (C-10 knows If-Match alone). */
const UNKNOWN_CONDITIONS = ['if-none-match', 'if-modified-since', 'if-unmodified-since'] as const;

/** @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObject.html */
export const deleteObject: Operation = {
  name: 'DeleteObject',
  body: 'none',

  async handle(request, context) {
    const versionId = versionIdOf(request.query);
    const conditions = parseDeleteConditions(request.headers);
    const location = await requireWritableObject(request, context);

    const deleted = await deleteVersion(location, { versionId, conditions }, request, context);
    const headers: Record<string, string> = {};
    // An unversioned bucket does not speak of versions (V-2), also not of `null`.
    if (deleted.versionId !== null && isVersioned(location.bucket)) {
      headers['x-amz-version-id'] = deleted.versionId;
    }
    if (deleted.isDeleteMarker) headers['x-amz-delete-marker'] = 'true';
    return { status: 204, headers };
  },
};

function parseDeleteConditions(headers: Headers): DeleteConditions {
  for (const name of UNKNOWN_CONDITIONS) {
    if (headers.has(name)) throw new S3Error('NotImplemented', { Header: name });
  }
  return {
    ifMatch: parseEntityTags(headers.get('if-match')),
    lastModifiedMs: parsed(headers, 'x-amz-if-match-last-modified-time', parseConditionTime),
    sizeBytes: parsed(headers, 'x-amz-if-match-size', parseConditionSize),
  };
}

function parsed(
  headers: Headers,
  name: string,
  parse: (text: string) => number | null,
): number | null {
  const text = headers.get(name);
  if (text === undefined) return null;
  const value = parse(text);
  if (value === null) throw invalidArgument(`Invalid value for ${name}`, name, text);
  return value;
}
