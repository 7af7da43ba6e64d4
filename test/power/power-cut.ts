import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** A file system of its own in a file, mounted; its power can be cut. */
export interface ImageDisk {
  readonly name: string;
  readonly fileSystem: FileSystem;
  readonly imageFile: string;
  readonly mountPoint: string;
}

export type FileSystem = 'ext4' | 'ext4-noauto_da_alloc' | 'xfs';

const IMAGE_BYTES = 3 * 1024 * 1024 * 1024;
const UNMOUNT_ATTEMPTS_MAX = 50;
const UNMOUNT_PAUSE_MS = 100;

/**
 * EXT4_IOC_SHUTDOWN and XFS_IOC_GOINGDOWN have the same number. With 2 (NOLOGFLUSH) what is not on
 * the disk yet, the journal included, never gets there: to the file system a power cut.
 */
const SHUTDOWN_IOCTL = 0x8004587d;
const NO_LOG_FLUSH = 2;
/** All file systems are opened first, so that they stop within microseconds of each other. */
const SHUTDOWN_PROGRAM = `
  my @handles = map { open(my $h, "<", $_) or die "$_: $!"; $h } @ARGV;
  for my $h (@handles) {
    my $flags = pack("L", ${NO_LOG_FLUSH});
    ioctl($h, ${SHUTDOWN_IOCTL}, $flags) or die "ioctl: $!";
  }
`;

/** Makes and mounts a disk below `directory`. Needs root. */
export function makeImageDisk(directory: string, name: string, fileSystem: FileSystem): ImageDisk {
  const imageFile = join(directory, `${name}.image`);
  const mountPoint = join(directory, name);
  mkdirSync(mountPoint, { recursive: true });
  writeFileSync(imageFile, '');
  truncateSync(imageFile, IMAGE_BYTES);
  if (fileSystem === 'xfs') run('mkfs.xfs', '-q', imageFile);
  else run('mkfs.ext4', '-q', '-F', imageFile);
  const disk = { name, fileSystem, imageFile, mountPoint };
  mountDisk(disk);
  return disk;
}

/** Mounting replays the journal, as the first mount after a power cut does. */
export function mountDisk({ imageFile, mountPoint, fileSystem }: ImageDisk): void {
  const options = fileSystem === 'ext4-noauto_da_alloc' ? 'loop,noauto_da_alloc' : 'loop';
  run('mount', '-o', options, imageFile, mountPoint);
}

/** @throws when something still uses the disk after a few seconds. */
export function unmountDisk({ mountPoint }: ImageDisk): void {
  for (let attempt = 1; ; attempt += 1) {
    try {
      run('umount', mountPoint);
      return;
    } catch (error) {
      if (attempt === UNMOUNT_ATTEMPTS_MAX) throw error;
      // The last handles of a killed process are closed by the kernel a little later.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, UNMOUNT_PAUSE_MS);
    }
  }
}

/** Cuts the power of all disks at once: what was not synced is gone, and every call answers EIO. */
export function cutPower(disks: readonly ImageDisk[]): void {
  run('perl', '-e', SHUTDOWN_PROGRAM, ...disks.map(({ mountPoint }) => mountPoint));
}

/**
 * Checks the file system of an unmounted disk whose journal has been replayed.
 *
 * @throws with what the checker found wrong.
 */
export function checkFileSystem({ fileSystem, imageFile }: ImageDisk): void {
  if (fileSystem === 'xfs') run('xfs_repair', '-n', imageFile);
  else run('e2fsck', '-fn', imageFile);
}

/** Makes `path` a directory of the disk. */
export function placeOnDisk(disk: ImageDisk, path: string, name: string): void {
  const target = join(disk.mountPoint, name);
  mkdirSync(target, { recursive: true });
  run('sync', '-f', target);
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  symlinkSync(target, path);
}

export function destroyDisks(disks: readonly ImageDisk[], directory: string): void {
  for (const disk of disks) {
    try {
      unmountDisk(disk);
    } catch {
      // It was not mounted.
    }
  }
  rmSync(directory, { recursive: true, force: true });
}

function run(program: string, ...args: readonly string[]): void {
  execFileSync(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
}
