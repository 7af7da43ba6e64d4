import type { Random } from '@azimuth/common';
import { StoreError } from '@azimuth/common';
import type { DiskId } from '@azimuth/placement';

import type { Disk } from './disk';
import { isSystemError, readWhole } from './disk';
import { checksumOf, draftOf, encodeSealed, replaceFile } from './replace-file';

/** Who a disk is. Written once, when the disk is formatted; a reformatted disk is another disk. */
export interface DiskIdentity {
  readonly diskId: DiskId;
  readonly clusterId: string;
  readonly zone: string;
  readonly nodeId: string;
}

export type DiskOwner = Omit<DiskIdentity, 'diskId'>;

export const DISK_FORMAT_VERSION = 1;
const IDENTITY_PATH = 'disk.json';
const IDENTITY_BYTES_MAX = 4096;
/** What an empty file system may hold, or a format that was cut off: nothing that was ever stored. */
const IGNORED_NAMES = new Set([draftOf(IDENTITY_PATH), 'lost+found']);

/**
 * Reads the disk's identity, or formats a disk that is empty. A disk that holds anything but has no
 * readable identity is never formatted: that would turn one bad sector into the loss of all shards.
 *
 * @throws StoreError STATE_CORRUPT (unreadable identity) · PERMISSION_DENIED (another cluster, zone
 *   or node owns the disk).
 */
export async function openDiskIdentity(
  disk: Disk,
  owner: DiskOwner,
  random: Random,
): Promise<DiskIdentity> {
  const identity = (await readIdentity(disk)) ?? (await format(disk, owner, random));
  for (const field of ['clusterId', 'zone', 'nodeId'] as const) {
    if (identity[field] !== owner[field]) {
      throw new StoreError('PERMISSION_DENIED', {
        reason: `the disk belongs to another ${field}`,
        diskId: identity.diskId,
        expected: owner[field],
        found: identity[field],
      });
    }
  }
  return identity;
}

async function readIdentity(disk: Disk): Promise<DiskIdentity | null> {
  let bytes: Buffer;
  try {
    bytes = await readWhole(disk, IDENTITY_PATH, IDENTITY_BYTES_MAX);
  } catch (error) {
    if (!isSystemError(error, 'ENOENT')) throw error;
    const names = (await disk.list('')).filter((name) => !IGNORED_NAMES.has(name));
    if (names.length === 0) return null;
    throw new StoreError('STATE_CORRUPT', { reason: 'the disk has content but no disk.json' });
  }
  return decodeIdentity(bytes);
}

function decodeIdentity(bytes: Buffer): DiskIdentity {
  let parsed: Partial<Record<string, unknown>>;
  try {
    parsed = JSON.parse(bytes.toString('utf8')) as Partial<Record<string, unknown>>;
  } catch (error) {
    throw new StoreError('STATE_CORRUPT', { reason: 'disk.json is not JSON' }, error);
  }
  const { checksum, ...fields } = parsed;
  if (checksum !== checksumOf(fields)) {
    throw new StoreError('STATE_CORRUPT', { reason: 'disk.json does not match its checksum' });
  }
  if (fields['formatVersion'] !== DISK_FORMAT_VERSION) {
    throw new StoreError('STATE_CORRUPT', {
      reason: 'disk.json has an unknown format version',
      supported: DISK_FORMAT_VERSION,
    });
  }
  return {
    diskId: String(fields['diskId']),
    clusterId: String(fields['clusterId']),
    zone: String(fields['zone']),
    nodeId: String(fields['nodeId']),
  };
}

async function format(disk: Disk, owner: DiskOwner, random: Random): Promise<DiskIdentity> {
  const { clusterId, zone, nodeId } = owner;
  const identity = { diskId: random.bytes(16).toString('hex'), clusterId, zone, nodeId };
  const fields = { formatVersion: DISK_FORMAT_VERSION, ...identity };
  await replaceFile(disk, IDENTITY_PATH, encodeSealed(fields));
  // The name of the disk's own directory must last as well.
  await disk.syncParent();
  return identity;
}
