import { hasCode, required } from '@azimuth/common';

import type { S3Request } from '../../http/request';
import type { S3Response } from '../../http/response';
import type { ObjectLocation } from '../bucket-access';
import { isVersioned, requireObject } from '../bucket-access';
import { parseResponseOverrides, versionHeaders } from '../object-headers';
import type { Operation, OperationContext } from '../operation';
import { evaluateReadConditions, parseReadConditions, preconditionFailed } from '../precondition';
import { versionIdOf } from '../version-id';
import type { ReadableVersion } from './current-version';
import { requireVersion } from './current-version';
import { notModified } from './not-modified';
import type { ObjectSelection } from './object-selection';
import { selectBytes } from './object-selection';
import { primeRead } from './primed-read';
import { shownTagCount } from './tag-count';
import { zoneHeaders } from './zone-headers';

/** An object replaced again and again while it is looked up is left to the client to retry. */
const LOOKUPS_MAX = 3;

/** @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html */
export const getObject: Operation = {
  name: 'GetObject',
  body: 'none',

  async handle(request, context) {
    const versionId = versionIdOf(request.query);
    const overrides = parseResponseOverrides(request);
    const location = await requireObject(request, context);
    const lookUp = { versionId, withBody: true, signal: request.signal };

    let version = await requireVersion(location, lookUp, context);
    for (let lookups = 1; ; lookups += 1) {
      try {
        return await answer(version, { request, location, overrides }, context);
      } catch (error) {
        // Between the look-up and the read the object was replaced and its blobs were collected.
        const mayBeGone = hasCode(error, 'TOO_FEW_SHARDS', 'ZONE_OUT', 'SHARD_NOT_FOUND');
        if (lookups === LOOKUPS_MAX || !mayBeGone) throw error;
        const newer = await requireVersion(location, lookUp, context);
        if (newer.head.sequence === version.head.sequence) throw error;
        version = newer;
      }
    }
  },
};

interface Answering {
  readonly request: S3Request;
  readonly location: ObjectLocation;
  readonly overrides: Readonly<Record<string, string>>;
}

async function answer(
  version: ReadableVersion,
  { request, location, overrides }: Answering,
  context: OperationContext,
): Promise<S3Response> {
  const { head } = version;
  const conditions = parseReadConditions(request.headers);
  const outcome = evaluateReadConditions(conditions, head, context.clock.wallMs());
  if (outcome.kind === 'failed') throw preconditionFailed(outcome.condition);
  if (outcome.kind === 'not-modified') return notModified(head, isVersioned(location.bucket));

  const selection = selectBytes(request, head, version.body);
  const headers = {
    ...versionHeaders(head, isVersioned(location.bucket)),
    ...(await shownTagCount(location, head, request)),
    ...zoneHeaders(version, context),
    ...overrides,
    ...selection.headers,
  };
  const body = await openBody(version, selection, request, context);
  return { status: selection.status, headers, body };
}

async function openBody(
  version: ReadableVersion,
  { range }: ObjectSelection,
  { signal }: S3Request,
  context: OperationContext,
): Promise<NonNullable<S3Response['body']>> {
  const sizeBytes = range.to - range.from;
  if (sizeBytes === 0) return { kind: 'bytes', sizeBytes, write: async () => {} };
  const body = required(version.body, 'version body');
  if (body.blobs.length === 0) {
    // The bytes came with the version: no part of the read can fail or wait.
    return {
      kind: 'bytes',
      sizeBytes,
      write: (sink) => context.dataPath.read(body, range, sink, signal),
    };
  }
  const write = await primeRead((sink) => context.dataPath.read(body, range, sink, signal), signal);
  return { kind: 'bytes', sizeBytes, write };
}
