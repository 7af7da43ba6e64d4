import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

import { seededRandom } from '@azimuth/common';

import type { RotOutcome } from './flipped-byte';
import type { MetadataFileKind } from './metadata-rot';
import { METADATA_FILE_KINDS, MetadataRot } from './metadata-rot';
import type { StorageFileKind } from './storage-rot';
import { STORAGE_FILE_KINDS, StorageRot } from './storage-rot';

const OUTCOMES: readonly RotOutcome[] = ['repaired', 'harmless', 'unnoticed', 'WRONG'];

interface Subject {
  prepare(): Promise<void>;
  close(): Promise<void>;
}

/** Flips bytes of all kinds in turn, until all are done or the time is up. */
export async function rotAll(options: {
  readonly directory: string;
  readonly flips: number;
  readonly seed: number;
  readonly timeLimitMs: number;
}): Promise<{ readonly table: readonly string[]; readonly failures: readonly string[] }> {
  const { directory, flips, seed } = options;
  mkdirSync(join(directory, 'disk'));
  const storage = new StorageRot(join(directory, 'disk'), seededRandom(seed));
  const metadata = new MetadataRot(join(directory, 'metadata'), seededRandom(seed + 1));
  const subjects: readonly Subject[] = [storage, metadata];
  const kinds: readonly (readonly [string, () => Promise<RotOutcome>])[] = [
    ...STORAGE_FILE_KINDS.map((kind: StorageFileKind) => [kind, () => storage.flip(kind)] as const),
    ...(Object.keys(METADATA_FILE_KINDS) as MetadataFileKind[]).map(
      (kind) => [kind, () => metadata.flip(kind)] as const,
    ),
  ];
  const counts = new Map<string, number>();
  const failures: string[] = [];
  const endMs = performance.now() + options.timeLimitMs;
  try {
    for (const subject of subjects) await subject.prepare();
    for (let count = 0; count < flips && performance.now() < endMs; count += 1) {
      const [kind, flip] = kinds[count % kinds.length] as (typeof kinds)[number];
      const outcome = await flip();
      counts.set(`${kind} ${outcome}`, (counts.get(`${kind} ${outcome}`) ?? 0) + 1);
      if (outcome === 'unnoticed' || outcome === 'WRONG') {
        failures.push(`seed ${seed}, flip ${count}, ${kind}: ${outcome}`);
      }
    }
  } finally {
    for (const subject of subjects) await subject.close();
  }
  const cells = (kind: string): string[] =>
    OUTCOMES.map((outcome) => String(counts.get(`${kind} ${outcome}`) ?? 0));
  const table = [
    `| file | ${OUTCOMES.join(' | ')} |`,
    `| --- | ${OUTCOMES.map(() => '---').join(' | ')} |`,
    ...kinds.map(([kind]) => `| ${kind} | ${cells(kind).join(' | ')} |`),
  ];
  return { table, failures };
}
