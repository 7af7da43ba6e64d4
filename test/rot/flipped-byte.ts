import {
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readSync,
  statSync,
  writeSync,
} from 'node:fs';
import { join, relative } from 'node:path';

import type { Random } from '@azimuth/common';

/** One bit of one byte, turned over behind the back of everybody. */
export interface FlippedByte {
  readonly path: string;
  readonly offset: number;
  /** As it is now. */
  readonly value: number;
}

/** Every file below `root` that holds something, by its path from there. */
export function filesBelow(root: string): string[] {
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => statSync(path).size > 0)
    .map((path) => relative(root, path))
    .sort();
}

const ATTEMPTS_MAX = 10_000;

/** Holes and padding are zeros that mean nothing, so the byte is one that is not zero. */
export function flipByteOf(path: string, random: Random): FlippedByte {
  let offset = random.below(statSync(path).size);
  for (let attempt = 0; attempt < ATTEMPTS_MAX && byteAt(path, offset) === 0; attempt += 1) {
    offset = random.below(statSync(path).size);
  }
  const value = byteAt(path, offset) ^ (1 << random.below(8));
  const file = openSync(path, 'r+');
  writeSync(file, Buffer.from([value]), 0, 1, offset);
  closeSync(file);
  return { path, offset, value };
}

/** True while the byte is as it was made: nothing has replaced it. */
export function isStillFlipped({ path, offset, value }: FlippedByte): boolean {
  return existsSync(path) && statSync(path).size > offset && byteAt(path, offset) === value;
}

function byteAt(path: string, offset: number): number {
  const byte = Buffer.alloc(1);
  const file = openSync(path, 'r');
  readSync(file, byte, 0, 1, offset);
  closeSync(file);
  return byte.readUInt8(0);
}

/** What became of a flipped byte. */
export type RotOutcome =
  /** Something noticed, and what had been there is there again. */
  | 'repaired'
  /** Nothing noticed, because nothing reads it: a hole, a dead record, what a database has replaced. */
  | 'harmless'
  /** It stayed, in something that is read one day. */
  | 'unnoticed'
  /** Wrong bytes were served, or something was gone without a word. */
  | 'WRONG';
