import { crc32c } from '@node-rs/crc32';

import type { Random } from '@azimuth/common';
import { StoreError } from '@azimuth/common';
import type { DiskId } from '@azimuth/placement';

import type { Disk } from './disk';
import { isSystemError, readWhole } from './disk';

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
const IDENTITY_DRAFT_PATH = 'disk.json.draft';
const IDENTITY_BYTES_MAX = 4096;
/** What an empty file system may hold, or a format that was cut off: nothing that was ever stored. */
const IGNORED_NAMES = new Set([IDENTITY_DRAFT_PATH, 'lost+found']);

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

function encodeIdentity(identity: DiskIdentity): Buffer {
  const fields = { formatVersion: DISK_FORMAT_VERSION, ...identity };
  const checksum = crc32c(JSON.stringify(fields)).toString(16).padStart(8, '0');
  return Buffer.from(`${JSON.stringify({ ...fields, checksum })}\n`);
}

function decodeIdentity(bytes: Buffer): DiskIdentity {
  let parsed: Partial<Record<string, unknown>>;
  try {
    parsed = JSON.parse(bytes.toString('utf8')) as Partial<Record<string, unknown>>;
  } catch (error) {
    throw new StoreError('STATE_CORRUPT', { reason: 'disk.json is not JSON' }, error);
  }
  const { checksum, ...fields } = parsed;
  const expected = crc32c(JSON.stringify(fields)).toString(16).padStart(8, '0');
  if (checksum !== expected) {
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
  await disk.unlink(IDENTITY_DRAFT_PATH).catch((error: unknown) => {
    if (!isSystemError(error, 'ENOENT')) throw error;
  });
  const file = await disk.open(IDENTITY_DRAFT_PATH, 'create');
  try {
    await file.write([encodeIdentity(identity)], 0);
    await file.datasync();
  } finally {
    await file.close();
  }
  // The new name appears only with its bytes behind it, and is durable with the directory's own name:
  // ext4 and XFS both may otherwise keep an empty file, or none, after a power cut.
  await disk.rename(IDENTITY_DRAFT_PATH, IDENTITY_PATH);
  await disk.syncDirectory('');
  await disk.syncParent();
  return identity;
}
