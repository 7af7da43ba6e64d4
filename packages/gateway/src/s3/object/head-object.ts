import { isVersioned, requireObject } from '../bucket-access';
import { parseResponseOverrides, versionHeaders } from '../object-headers';
import type { Operation } from '../operation';
import { evaluateReadConditions, parseReadConditions, preconditionFailed } from '../precondition';
import { versionIdOf } from '../version-id';
import { requireVersion } from './current-version';
import { notModified } from './not-modified';
import { selectBytes } from './object-selection';
import { shownTagCount } from './tag-count';
import { mayBeInOneZone, zoneHeaders } from './zone-headers';

/** @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html */
export const headObject: Operation = {
  name: 'HeadObject',
  body: 'none',

  async handle(request, context) {
    const { headers, query, signal } = request;
    const versionId = versionIdOf(query);
    const overrides = parseResponseOverrides(request);
    const location = await requireObject(request, context);

    // Only the sizes of parts and the zone of what is all in one need the body record; any other
    // HEAD is answered by the head alone.
    const withBody = query.has('partNumber');
    let version = await requireVersion(location, { versionId, withBody, signal }, context);
    if (version.body === null && mayBeInOneZone(version, context)) {
      version = await requireVersion(location, { versionId, withBody: true, signal }, context);
    }
    const { head } = version;
    const outcome = evaluateReadConditions(
      parseReadConditions(headers),
      head,
      context.clock.wallMs(),
    );
    if (outcome.kind === 'failed') throw preconditionFailed(outcome.condition);
    if (outcome.kind === 'not-modified') return notModified(head, isVersioned(location.bucket));

    const selection = selectBytes(request, head, version.body);
    return {
      status: selection.status,
      headers: {
        ...versionHeaders(head, isVersioned(location.bucket)),
        ...(await shownTagCount(location, head, request)),
        ...zoneHeaders(version, context),
        ...overrides,
        ...selection.headers,
      },
    };
  },
};
