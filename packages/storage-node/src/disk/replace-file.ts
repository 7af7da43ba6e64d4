import { crc32c } from '@node-rs/crc32';

import type { Disk } from './disk';
import { isSystemError, readWhole } from './disk';

const SEALED_BYTES_MAX = 4096;

/**
 * Replaces a small file, durably. The new bytes appear only whole: ext4 and XFS both may otherwise
 * keep an empty file, or none, after a power cut. One call at a time for a path.
 */
export async function replaceFile(disk: Disk, path: string, bytes: Buffer): Promise<void> {
  const draftPath = draftOf(path);
  await disk.unlink(draftPath).catch((error: unknown) => {
    if (!isSystemError(error, 'ENOENT')) throw error;
  });
  const file = await disk.open(draftPath, 'create');
  try {
    await file.write([bytes], 0);
    await file.datasync();
  } finally {
    await file.close();
  }
  await disk.rename(draftPath, path);
  await disk.syncDirectory('');
}

/** The name under which `replaceFile` writes; one may be left over from a crash. */
export function draftOf(path: string): string {
  return `${path}.draft`;
}

/** Fields with a checksum, as a line of JSON. */
export function encodeSealed(fields: Readonly<Record<string, unknown>>): Buffer {
  return Buffer.from(`${JSON.stringify({ ...fields, checksum: checksumOf(fields) })}\n`);
}

/** The fields of such a file; null when there is none, or it is not what was written. */
export async function readSealed(
  disk: Disk,
  path: string,
): Promise<Readonly<Partial<Record<string, unknown>>> | null> {
  let bytes: Buffer;
  try {
    bytes = await readWhole(disk, path, SEALED_BYTES_MAX);
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return null;
    throw error;
  }
  try {
    const parsed = JSON.parse(bytes.toString('utf8')) as Partial<Record<string, unknown>>;
    const { checksum, ...fields } = parsed;
    return checksum === checksumOf(fields) ? fields : null;
  } catch {
    return null;
  }
}

export function checksumOf(fields: Readonly<Record<string, unknown>>): string {
  return crc32c(JSON.stringify(fields)).toString(16).padStart(8, '0');
}
