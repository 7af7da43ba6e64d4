import type { Logger } from '@azimuth/common';
import { hasCode } from '@azimuth/common';

import type { DiskFile } from '../disk/disk';
import { isSystemError } from '../disk/disk';
import type { ShardLocation } from '../index/index-record';
import { IndexMerge } from '../index/rebuild-index';
import type { IndexChange, IndexState, ShardIndex } from '../index/shard-index';
import type { Finding } from '../scrubber/findings';
import type { RecordEntry, SegmentKind } from '../segment/segment-format';
import {
  encodeFooter,
  entryBytes,
  FOOTER_ENTRY_BYTES,
  FOOTER_TAIL_BYTES,
  SEGMENT_HEADER_BYTES,
} from '../segment/segment-format';
import type { SegmentContext } from '../segment/segment-log';
import { syncOrFence, writeOrFence } from '../segment/segment-log';
import type { SegmentContent, SegmentDamage } from '../segment/segment-scan';
import { endOfEntries, readSegment } from '../segment/segment-scan';
import type { Segment } from '../segment/segment-table';
import { parseSegmentName, SEGMENT_DIRECTORY, segmentPath } from '../segment/segment-table';
import { shardName } from '../segment/shard-id';

export interface RecoveryOptions {
  readonly context: SegmentContext;
  readonly index: ShardIndex;
  readonly bootId: string;
  /** A fenced disk is read as it is: nothing is sealed, cut or removed. */
  readonly isReadOnly: boolean;
  readonly logger: Logger;
}

export interface RecoveryResult {
  readonly shardCount: number;
  readonly liveBytes: number;
  readonly maxSequence: number;
  readonly isIndexRebuilt: boolean;
  /** Shards that were acknowledged, or may have been, and cannot be found intact. */
  readonly findings: readonly Finding[];
}

interface SegmentFileName {
  readonly kind: SegmentKind;
  readonly number: number;
}

interface LiveBytes {
  bytes: number;
  count: number;
}

/** What a walk over the whole index says. */
interface IndexCensus {
  readonly bySegment: ReadonlyMap<number, LiveBytes>;
  readonly shardCount: number;
  readonly liveBytes: number;
  readonly badEntries: number;
}

/**
 * Opens a store after whatever happened.
 *
 * V1 After a power cut (another boot id, and no clean end) the index is rebuilt from the segments:
 *    LevelDB may have lost any of its unsynced writes.
 * V2 After a mere kill the index is kept, and the unsealed segments are merged into it.
 * V3 An index that disagrees with the files is rebuilt.
 * V4 What an unsealed segment holds is synced before it is served: a later PUT of the same bytes is
 *    acknowledged because the shard exists, so it must be durable by then. An intact footer says
 *    that the records before it are: it is written after their sync.
 * V5 An index entry whose record is gone stays an entry or becomes a finding; it never just
 *    vanishes.
 * V6 A file is removed only when its records are known to be dead, or to be of a write that was
 *    never acknowledged.
 */
export async function recoverStore(options: RecoveryOptions): Promise<RecoveryResult> {
  const recovery = new Recovery(options);
  return recovery.run();
}

class Recovery {
  readonly #options: RecoveryOptions;
  readonly #findings = new Map<string, Finding>();
  /** Contents of segments without an intact footer: few, as all others were sealed. */
  readonly #unsealed = new Map<number, SegmentContent>();
  #maxSequence = 0;

  constructor(options: RecoveryOptions) {
    this.#options = options;
  }

  async run(): Promise<RecoveryResult> {
    const { index, context, bootId, isReadOnly, logger } = this.#options;
    const names = (await context.disk.list(SEGMENT_DIRECTORY))
      .map(parseSegmentName)
      .filter((name) => name !== null);
    const { state, sequence } = readMarks(index);
    const isSameBoot = state?.bootId === bootId;
    const isOurs = state?.diskId === context.diskId && sequence !== null;
    const isTrusted = isOurs && (state.isClean || isSameBoot);
    const expected = state?.isClean === true ? state : null;
    this.#maxSequence = sequence ?? 0;

    let census = isTrusted ? await this.#keepReadableIndex(names, expected) : null;
    const isIndexRebuilt = census === null;
    if (census === null) {
      if (isOurs) logger.warn({ diskId: context.diskId }, 'shard index is rebuilt from segments');
      census = await this.#rebuildIndex(names, isTrusted);
    }
    this.#accountLive(census);
    if (!isReadOnly) await this.#tidy();
    return {
      shardCount: census.shardCount,
      liveBytes: census.liveBytes,
      maxSequence: this.#maxSequence,
      isIndexRebuilt,
      findings: [...this.#findings.values()],
    };
  }

  /** Null also when LevelDB cannot read its own files (V3). */
  async #keepReadableIndex(
    names: readonly SegmentFileName[],
    expected: { readonly shardCount: number; readonly liveBytes: number } | null,
  ): Promise<IndexCensus | null> {
    try {
      await this.#options.index.verify();
      return await this.#keepIndex(names, expected);
    } catch (error) {
      if (!hasCode(error, 'STATE_CORRUPT')) throw error;
      return null;
    }
  }

  /** Checks the index against the files (V2); null when it must be rebuilt (V3). */
  async #keepIndex(
    names: readonly SegmentFileName[],
    expected: { readonly shardCount: number; readonly liveBytes: number } | null,
  ): Promise<IndexCensus | null> {
    const { index } = this.#options;
    const census = await takeCensus(index);
    if (census.badEntries > 0) return null;
    if (expected !== null) {
      const isEqual =
        census.shardCount === expected.shardCount && census.liveBytes === expected.liveBytes;
      if (!isEqual) return null;
    }
    const numbers = new Set(names.map(({ number }) => number));
    for (const number of census.bySegment.keys()) if (!numbers.has(number)) return null;

    const merge = new IndexMerge(index);
    for (const name of names) {
      const live = census.bySegment.get(name.number);
      if (name.kind === 'own' && live !== undefined) {
        this.#addSegment(name, ownSegmentBytes(live.bytes), null);
        continue;
      }
      const { content } = await this.#read(name);
      // A whole record in a file of its own that the index does not know: it was deleted, or the
      // index lost it. Only the tombstones can tell.
      if (name.kind === 'own' && content.entries.length > 0) return null;
      // A later segment may be sealed although an earlier one is not, so all tombstones count.
      const isNews = ({ kind }: RecordEntry): boolean => kind === 'tombstone' || !content.isSealed;
      await merge.add(name.number, content.entries.filter(isNews));
    }
    await merge.finish();
    await this.#reportUnverified();
    await index.clearTombstones();
    this.#maxSequence = Math.max(this.#maxSequence, merge.maxSequence);
    return takeCensus(index);
  }

  async #rebuildIndex(
    names: readonly SegmentFileName[],
    wasTrusted: boolean,
  ): Promise<IndexCensus> {
    const { index } = this.#options;
    const numbers = new Set(names.map(({ number }) => number));
    const sealed: SegmentFileName[] = [];
    for (const name of names) {
      const { content } = await this.#read(name);
      if (content.isSealed) sealed.push(name);
    }
    const acknowledged = await this.#acknowledgedIn((number) =>
      numbers.has(number) ? this.#unsealed.has(number) : wasTrusted,
    );
    const findings: IndexChange[] = [];
    await asFarAsReadable(index.findings(), (finding) => {
      findings.push({ kind: 'putFinding', ...finding });
    });
    await index.reset();
    await index.apply(findings);

    const merge = new IndexMerge(index);
    for (const name of sealed) {
      const { content } = await this.#read(name);
      await merge.add(name.number, content.entries);
    }
    for (const [number, content] of this.#unsealed) await merge.add(number, content.entries);
    await merge.finish();
    this.#maxSequence = Math.max(this.#maxSequence, merge.maxSequence);
    await this.#keepAcknowledged(acknowledged, numbers);
    await this.#reportUnverified();
    await index.clearTombstones();
    return takeCensus(index);
  }

  /** Entries of the old index that point where no footer vouches for the records. */
  async #acknowledgedIn(isDoubtful: (segment: number) => boolean): Promise<ShardLocation[]> {
    const acknowledged: ShardLocation[] = [];
    await asFarAsReadable(this.#options.index.entries(), (location) => {
      if (location !== null && isDoubtful(location.segment)) acknowledged.push(location);
    });
    return acknowledged;
  }

  /** V5: puts back what the scan could not find, so that reading it says SHARD_CORRUPT. */
  async #keepAcknowledged(
    acknowledged: readonly ShardLocation[],
    numbers: ReadonlySet<number>,
  ): Promise<void> {
    const { index } = this.#options;
    for (const location of acknowledged) {
      const present = index.get(location.id)?.sequence ?? -1;
      const tombstone = index.getTombstone(location.id) ?? -1;
      if (Math.max(present, tombstone) >= location.sequence) continue;
      const hasFile = numbers.has(location.segment);
      this.#report(location, hasFile ? 'record is damaged' : 'segment file is missing');
      if (hasFile) await index.apply([{ kind: 'put', location }], location.sequence);
      this.#maxSequence = Math.max(this.#maxSequence, location.sequence);
    }
  }

  /** Findings for what the unsealed segments should hold and do not (V5). */
  async #reportUnverified(): Promise<void> {
    if (this.#unsealed.size === 0) return;
    const verified = new Set<string>();
    for (const [number, content] of this.#unsealed) {
      for (const { offsetBytes } of content.entries) verified.add(`${number}:${offsetBytes}`);
      for (const damage of content.damages) this.#reportDamage(damage);
    }
    for await (const location of this.#options.index.entries()) {
      if (location === null || !this.#unsealed.has(location.segment)) continue;
      if (verified.has(`${location.segment}:${location.offsetBytes}`)) continue;
      this.#report(location, 'record is damaged');
    }
  }

  #reportDamage(damage: SegmentDamage): void {
    const { logger, index, context } = this.#options;
    logger.error(
      {
        diskId: context.diskId,
        segment: damage.segment,
        offsetBytes: damage.offsetBytes,
        problem: damage.problem,
      },
      'segment is damaged',
    );
    const head = damage.head;
    if (head?.kind !== 'shard') return;
    // A copy elsewhere, or a later tombstone, makes the damaged record meaningless.
    if (index.get(head.id) !== null || index.getTombstone(head.id) !== null) return;
    this.#report(head, damage.problem);
  }

  #report(of: { id: Finding['id']; attributes: { pgId: number } }, problem: string): void {
    const name = shardName(of.id);
    if (this.#findings.has(name)) return;
    this.#findings.set(name, { id: of.id, pgId: of.attributes.pgId, problem });
  }

  /** Reads a segment and enters it into the table. */
  async #read(name: SegmentFileName): Promise<{ readonly content: SegmentContent }> {
    const { context } = this.#options;
    const known = this.#unsealed.get(name.number);
    if (known !== undefined) return { content: known };
    const file = await context.disk.open(segmentPath(name), 'read');
    try {
      const sizeBytes = await file.size();
      const content = await this.#readContent(file, name);
      if (!content.isSealed) this.#unsealed.set(name.number, content);
      if (context.table.get(name.number) === null) this.#addSegment(name, sizeBytes, content);
      return { content };
    } finally {
      await file.close();
    }
  }

  /** A segment that cannot be read at all is kept for its findings; the store opens without it. */
  async #readContent(file: DiskFile, name: SegmentFileName): Promise<SegmentContent> {
    const { context, logger } = this.#options;
    try {
      return await readSegment(file, { diskId: context.diskId, segment: name.number });
    } catch (error) {
      if (!isSystemError(error, 'EIO')) throw error;
      logger.error({ diskId: context.diskId, segment: name.number }, 'segment cannot be read');
      const damage = { segment: name.number, offsetBytes: 0, head: null, problem: 'read error' };
      const endBytes = SEGMENT_HEADER_BYTES;
      return { binding: null, entries: [], damages: [damage], endBytes, isSealed: false };
    }
  }

  #addSegment(name: SegmentFileName, sizeBytes: number, content: SegmentContent | null): void {
    const sequences = (content?.entries ?? [])
      .filter(({ kind }) => kind === 'shard')
      .map(({ sequence }) => sequence);
    const tombstones = (content?.entries ?? []).filter(({ kind }) => kind === 'tombstone');
    this.#options.context.table.add({
      number: name.number,
      kind: name.kind,
      sizeBytes,
      liveBytes: 0,
      tombstoneBytes: tombstones.reduce((sum, entry) => sum + entryBytes(entry), 0),
      minSequence: sequences.reduce((a, b) => Math.min(a, b), Number.MAX_SAFE_INTEGER),
      isSealed: true,
    });
  }

  #accountLive(census: IndexCensus): void {
    for (const segment of this.#options.context.table.all()) {
      segment.liveBytes = census.bySegment.get(segment.number)?.bytes ?? 0;
    }
  }

  /** Seals what was open, makes it durable (V4), and removes what is dead (V6). */
  async #tidy(): Promise<void> {
    const { context } = this.#options;
    try {
      for (const segment of context.table.all()) {
        const content = this.#unsealed.get(segment.number);
        if (content !== undefined && !this.#isDead(segment)) await this.#seal(segment, content);
      }
      await context.directorySync.run();
      // Only now is durable what makes the records of these segments superfluous.
      for (const segment of context.table.all()) {
        if (this.#isDead(segment)) await context.table.remove(segment);
      }
      await context.directorySync.run();
    } catch (error) {
      // The disk is fenced or full now: its records are as readable as before.
      if (!hasCode(error, 'DISK_FENCED', 'DISK_FULL')) throw error;
    }
  }

  #isDead(segment: Segment): boolean {
    if (segment.liveBytes > 0 || segment.tombstoneBytes > 0) return false;
    const content = this.#unsealed.get(segment.number);
    if (content !== undefined && content.damages.length > 0) return false;
    // Sealed shared segments are left to compaction, which knows whether anybody reads them.
    return segment.kind === 'own' || content !== undefined;
  }

  async #seal(segment: Segment, content: SegmentContent): Promise<void> {
    const { context, index } = this.#options;
    if (content.binding === null) return;
    const entries: RecordEntry[] = [...content.entries];
    const offsets = new Set(entries.map(({ offsetBytes }) => offsetBytes));
    // Entries that only the index vouches for (V5) stay inside, damaged as they are.
    for await (const location of index.entries()) {
      if (location?.segment !== segment.number || offsets.has(location.offsetBytes)) continue;
      entries.push(location);
    }
    const endBytes = Math.max(content.endBytes, endOfEntries(entries));
    const footer = encodeFooter(entries, content.binding, endBytes);
    const file = await context.disk.open(segmentPath(segment), 'write');
    try {
      await file.truncate(endBytes);
      await writeOrFence(context, file, [footer], endBytes);
      await syncOrFence(context, file);
      context.table.resize(segment, endBytes + footer.byteLength);
    } finally {
      await file.close();
    }
  }
}

/** Null for what the index does not know, or cannot tell any more. */
function readMarks(index: ShardIndex): {
  readonly state: IndexState | null;
  readonly sequence: number | null;
} {
  try {
    return { state: index.readState(), sequence: index.readSequence() };
  } catch (error) {
    if (!hasCode(error, 'STATE_CORRUPT')) throw error;
    return { state: null, sequence: null };
  }
}

/** What a damaged index still says is worth keeping; where it ends, the segments speak alone. */
async function asFarAsReadable<T>(items: AsyncIterable<T>, use: (item: T) => void): Promise<void> {
  try {
    for await (const item of items) use(item);
  } catch (error) {
    if (!hasCode(error, 'STATE_CORRUPT')) throw error;
  }
}

async function takeCensus(index: ShardIndex): Promise<IndexCensus> {
  const bySegment = new Map<number, LiveBytes>();
  let shardCount = 0;
  let liveBytes = 0;
  let badEntries = 0;
  for await (const location of index.entries()) {
    if (location === null) {
      badEntries += 1;
      continue;
    }
    const bytes = entryBytes(location);
    const live = bySegment.get(location.segment) ?? { bytes: 0, count: 0 };
    live.bytes += bytes;
    live.count += 1;
    bySegment.set(location.segment, live);
    shardCount += 1;
    liveBytes += bytes;
  }
  return { bySegment, shardCount, liveBytes, badEntries };
}

/** Size of the file of an own segment whose one record takes `bytes`. */
function ownSegmentBytes(bytes: number): number {
  return SEGMENT_HEADER_BYTES + bytes + FOOTER_ENTRY_BYTES + FOOTER_TAIL_BYTES;
}
