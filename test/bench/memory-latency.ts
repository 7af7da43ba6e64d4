import { assert } from '@azimuth/common';

const WORDS = 16 * 1024 * 1024;
const LOADS = 6_000_000;

/**
 * Nanoseconds of CPU for a load from 64 MiB that depends on the one before. What a small operation
 * costs is mostly waiting for memory, and on a shared machine that differs by a third from hour to
 * hour: two runs are to be compared only where this is alike.
 */
export function measureMemoryLatency(): number {
  const next = new Int32Array(WORDS);
  for (let index = 0; index < WORDS; index += 1) next[index] = (index * 7919 + 12_345) % WORDS;
  const warm = follow(next);
  const before = process.cpuUsage();
  const end = follow(next);
  const { user, system } = process.cpuUsage(before);
  assert(end === warm, 'the same way twice');
  return ((user + system) * 1000) / LOADS;
}

/** Answers where it ended, which is looked at, so that no load can be left out. */
function follow(next: Int32Array): number {
  let at = 1;
  for (let load = 0; load < LOADS; load += 1) {
    at = ((next[at] ?? 0) ^ Math.imul(load, 0x9e3779b1)) & (WORDS - 1);
  }
  return at;
}
