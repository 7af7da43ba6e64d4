import { readFileSync } from 'node:fs';

import { StoreError } from '@azimuth/common';

import type { LogDisk } from '../disk/log-disk';

const BOOT_FILE_NAME = 'boot-id';
const BOOT_ID_BYTES_MAX = 64;

/** The kernel's name for this boot of the machine; it changes exactly when memory was lost. */
export function readBootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}

/** True when what was written without fsync is still there: the machine has not restarted since. */
export async function isStateTrusted(disk: LogDisk, bootId: string): Promise<boolean> {
  const file = await disk.open(BOOT_FILE_NAME);
  const recorded = file.read(0, BOOT_ID_BYTES_MAX).toString('utf8');
  await file.close();
  return recorded === bootId;
}

/** Called when all state has been rebuilt, so that an interrupted start begins again. */
export async function recordBoot(disk: LogDisk, bootId: string): Promise<void> {
  if (Buffer.byteLength(bootId) > BOOT_ID_BYTES_MAX) {
    throw new StoreError('INVALID_ARGUMENT', { bootId });
  }
  const file = await disk.open(BOOT_FILE_NAME);
  await file.truncate(0);
  await file.write(0, Buffer.from(bootId));
  await file.sync();
  await file.close();
  await disk.syncDirectory();
}
