import type { ClusterMap } from '@azimuth/placement';

/** What a storage node says of the scrub tour of one disk. */
export interface ScrubAnswer {
  readonly diskId: string;
  /** How much of the tour is done, from 0 to 1, and of how many bytes. */
  readonly share: number;
  readonly tourBytes: number;
  /** By the clock of its node: when the tour will have ended, or has. */
  readonly expectedEndMs: number;
  /** When the last whole tour ended; null before the first. */
  readonly lastPassMs: number | null;
  readonly isLate: boolean;
  /** Shards that were found damaged and are not repaired yet. */
  readonly corruptShards: number;
}

export interface ScrubDiskStatus extends ScrubAnswer {
  readonly nodeId: string;
}

/** The tours of a zone together. */
export interface ScrubZoneStatus {
  readonly zone: string;
  /** Disks that are not lost, and those of them of which nobody says how far they are. */
  readonly disks: number;
  readonly disksUnknown: number;
  readonly share: number;
  readonly tourBytes: number;
  /** Of the disk that ends last; null when none is known. */
  readonly expectedEndMs: number | null;
  /** Of the disk that is longest ago; null before each has been read once. */
  readonly lastPassMs: number | null;
  readonly corruptShards: number;
  readonly byDisk: readonly ScrubDiskStatus[];
}

/** Puts the tours together by zone. Pure. */
export function summarizeScrub(
  map: ClusterMap,
  answers: readonly ScrubAnswer[],
): ScrubZoneStatus[] {
  const byDiskId = new Map(answers.map((answer) => [answer.diskId, answer]));
  return map.settings.zones.map((zone) => {
    const disks = [...map.disks.values()].filter(
      (disk) => disk.zone === zone && disk.state !== 'lost',
    );
    const byDisk = disks.flatMap(({ diskId, nodeId }) => {
      const answer = byDiskId.get(diskId);
      return answer === undefined ? [] : [{ ...answer, nodeId }];
    });
    const tourBytes = byDisk.reduce((sum, disk) => sum + disk.tourBytes, 0);
    const doneBytes = byDisk.reduce((sum, disk) => sum + disk.share * disk.tourBytes, 0);
    const passes = byDisk.map(({ lastPassMs }) => lastPassMs).filter((ms) => ms !== null);
    return {
      zone,
      disks: disks.length,
      disksUnknown: disks.length - byDisk.length,
      share: tourBytes === 0 ? 1 : doneBytes / tourBytes,
      tourBytes,
      expectedEndMs:
        byDisk.length === 0 ? null : Math.max(...byDisk.map((disk) => disk.expectedEndMs)),
      lastPassMs: passes.length < disks.length ? null : Math.min(...passes),
      corruptShards: byDisk.reduce((sum, disk) => sum + disk.corruptShards, 0),
      byDisk,
    };
  });
}
