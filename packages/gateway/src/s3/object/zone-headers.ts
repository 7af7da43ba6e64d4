import type { OperationContext } from '../operation';
import { ONE_ZONE_STORAGE_CLASS } from '../object-headers';
import type { ReadableVersion } from './current-version';

const ZONE_HEADER = 'x-azimuth-zone';

/** True for an object that may be lost with a zone: where it is has to be asked for. */
export function isInOneZone({ head }: Pick<ReadableVersion, 'head'>): boolean {
  return head.storageClass === ONE_ZONE_STORAGE_CLASS;
}

/**
 * `x-azimuth-zone` of an object that is not readable while that zone is out (S-4): a list when its
 * parts were written into several. Null when there is none, as the object is inline, in spread
 * groups, or its group is newer than this gateway's map.
 */
export function zoneHeaders(
  version: ReadableVersion,
  { view }: Pick<OperationContext, 'view'>,
): Readonly<Record<string, string>> | null {
  if (!isInOneZone(version)) return null;
  const blobs = version.body?.blobs ?? [];
  if (blobs.length === 0) return null;
  const { groups } = view.map();
  const zones = new Set<string>();
  for (const { pgId } of blobs) {
    const zone = groups.get(pgId)?.zone;
    if (zone !== undefined) zones.add(zone);
  }
  return zones.size === 0 ? null : { [ZONE_HEADER]: [...zones].sort().join(', ') };
}
