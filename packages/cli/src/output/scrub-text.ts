import type { ScrubDiskStatus, ScrubZoneStatus } from '../scrub-status';
import { renderBytes, renderTable } from './table';

/** Disks that are told of one by one; of the others the number. */
const DISKS_SHOWN_MAX = 10;

/** How far the scrub tours of each zone are, and the disks that somebody should look at. */
export function renderScrub(zones: readonly ScrubZoneStatus[]): string[] {
  if (zones.length === 0) return [];
  const disks = zones.flatMap(({ byDisk }) => byDisk);
  const troubled = disks.filter(({ isLate, corruptShards }) => isLate || corruptShards > 0);
  const lines = troubled.slice(0, DISKS_SHOWN_MAX).map(describeDisk);
  const hidden = troubled.length - lines.length;
  if (hidden > 0) lines.push(`and ${hidden} more disks`);
  return [
    ...renderTable(
      ['SCRUB OF ZONE', 'DISKS', 'DONE', 'OF', 'EXPECTED END', 'ALL READ SINCE', 'CORRUPT SHARDS'],
      zones.map((zone) => [
        zone.zone,
        zone.disksUnknown === 0 ? `${zone.disks}` : `${zone.disks}, ${zone.disksUnknown} unknown`,
        zone.byDisk.length === 0 ? '?' : percentOf(zone.share),
        renderBytes(zone.tourBytes),
        timeOf(zone.expectedEndMs),
        timeOf(zone.lastPassMs),
        zone.corruptShards,
      ]),
    ),
    ...lines.map((line) => `  ${line}`),
    '',
  ];
}

function describeDisk(disk: ScrubDiskStatus): string {
  const { diskId, nodeId, share, expectedEndMs, isLate, corruptShards } = disk;
  const found = corruptShards === 0 ? [] : [`${corruptShards} corrupt shards wait for repair`];
  const end = timeOf(expectedEndMs);
  const late = isLate ? [`late: ${percentOf(share)} done, it will have ended at ${end}`] : [];
  return `disk ${diskId.slice(0, 8)} of ${nodeId}: ${[...late, ...found].join('; ')}`;
}

function percentOf(share: number): string {
  return `${Math.floor(100 * share)} %`;
}

function timeOf(ms: number | null): string {
  return ms === null || !Number.isFinite(ms) ? 'unknown' : new Date(ms).toISOString();
}
