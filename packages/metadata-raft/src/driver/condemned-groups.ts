import type { LogDisk } from '../disk/log-disk';

const PREFIX = 'condemned-';

/**
 * Groups whose replica here proved to be wrong although every checksum in it is right: nothing that
 * it led to can be trusted, the snapshot included. The mark is durable before the node stops, so
 * that the next start forgets the group and takes all of it from a leader.
 */
export async function condemnGroup(disk: LogDisk, group: string): Promise<void> {
  const file = await disk.open(`${PREFIX}${group}`);
  await file.sync();
  await file.close();
  await disk.syncDirectory();
}

export async function condemnedGroups(disk: LogDisk): Promise<ReadonlySet<string>> {
  const names = (await disk.list()).filter((name) => name.startsWith(PREFIX));
  return new Set(names.map((name) => name.slice(PREFIX.length)));
}

/** Called once the group is forgotten, so that a start that was cut short begins again. */
export async function pardonGroup(disk: LogDisk, group: string): Promise<void> {
  await disk.remove(`${PREFIX}${group}`);
  await disk.syncDirectory();
}
