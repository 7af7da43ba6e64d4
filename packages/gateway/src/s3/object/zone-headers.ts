import type { OperationContext } from '../operation';
import { ONE_ZONE_STORAGE_CLASS } from '../object-headers';
import type { ReadableVersion } from './current-version';

const ZONE_HEADER = 'x-azimuth-zone';

type Viewing = Pick<OperationContext, 'view'>;

/**
 * True for an object that may be lost with a zone: where it is has to be asked for. What is small
 * is kept with the metadata whatever its class.
 */
export function mayBeInOneZone(
  { head }: Pick<ReadableVersion, 'head'>,
  { view }: Viewing,
): boolean {
  return (
    head.storageClass === ONE_ZONE_STORAGE_CLASS &&
    head.sizeBytes > view.map().settings.inlineBytesMax
  );
}

/**
 * `x-azimuth-zone` of an object that is not readable while that zone is out (S-4): a list when its
 * parts were written into several. Null when there is none, as the object is inline, in spread
 * groups, or its group is newer than this gateway's map.
 */
export function zoneHeaders(
  version: ReadableVersion,
  context: Viewing,
): Readonly<Record<string, string>> | null {
  if (!mayBeInOneZone(version, context)) return null;
  const { groups } = context.view.map();
  const zones = new Set<string>();
  for (const { pgId } of version.body?.blobs ?? []) {
    const zone = groups.get(pgId)?.zone;
    if (zone !== undefined) zones.add(zone);
  }
  return zones.size === 0 ? null : { [ZONE_HEADER]: [...zones].sort().join(', ') };
}
