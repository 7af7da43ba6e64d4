import { crashes, unit } from './mutant';
import type { Mutant } from './mutant';

const STORE = 'packages/storage-node/src/store';
const SEGMENT = 'packages/storage-node/src/segment';

/** Faults of a storage node: the kinds that were found in ShardStore, and those of peers. */
export const STORAGE_MUTANTS: readonly Mutant[] = [
  {
    name: 'a shard is acknowledged before it is synced',
    file: `${SEGMENT}/segment-log.ts`,
    find: '    await syncOrFence(this.#context, open.file);\n    this.#context.table.resize',
    replace: '    this.#context.table.resize',
    by: [unit('storage-node/test/store/crash-points'), crashes('put-replicated')],
  },
  {
    name: 'a new segment is not synced into its directory',
    file: `${SEGMENT}/segment-log.ts`,
    find: '      await context.directorySync.run();',
    replace: '',
    by: [unit('storage-node/test/store/crash-points')],
  },
  {
    name: 'a failed sync is tried again (fsyncgate)',
    file: `${SEGMENT}/segment-log.ts`,
    find: "    throw context.health.fence('fdatasync failed', error);",
    replace: '    await file.datasync();',
    by: [unit('storage-node/test/store/disk-failure')],
  },
  {
    name: 'a write without room is acknowledged',
    file: `${SEGMENT}/segment-log.ts`,
    find: "      throw new StoreError('DISK_FULL', { diskId: context.diskId }, error);",
    replace: '      return;',
    by: [unit('storage-node/test/store/disk-failure')],
  },
  {
    name: 'compaction moves what has changed meanwhile',
    file: `${SEGMENT}/compaction.ts`,
    find: "  if (current === null || !isHere) return 'dead';",
    replace: "  if (current === null) return 'dead';",
    by: [unit('storage-node/test'), crashes('compaction')],
  },
  {
    name: 'compaction brings back what was deleted (ShardStore)',
    file: `${SEGMENT}/compaction.ts`,
    find: "  if (!isNeeded) return 'dead';",
    replace: "  if (isNeeded || !isNeeded) return 'dead';",
    by: [unit('storage-node/test/segment/compaction')],
  },
  {
    name: 'compaction drops a segment with a damaged record (ShardStore)',
    file: `${SEGMENT}/compaction.ts`,
    find: "  if (outcomes.includes('damaged')) return 0;",
    replace: '',
    by: [unit('storage-node/test/store'), unit('storage-node/test/segment')],
  },
  {
    name: 'compaction copies a shard without a look at its bytes',
    file: `${SEGMENT}/compaction.ts`,
    find: "  return findBadPage(shard, table) >= 0 ? 'shard bytes' : null;",
    replace: '  return shard === table ? null : null;',
    by: [unit('storage-node/test/store'), unit('storage-node/test/segment')],
  },
  {
    name: 'other bytes under a stored id are taken (generations mix)',
    file: `${STORE}/compare-target.ts`,
    find: "throw new StoreError('SHARD_EXISTS'",
    replace: "if (id.shardIndex < 0) throw new StoreError('SHARD_EXISTS'",
    by: [unit('storage-node/test/store/conformance')],
  },
  {
    name: 'a read trusts the bytes of the disk (seaweedfs 7832)',
    file: `${STORE}/segment-shard-reader.ts`,
    find: '    if (findBadPage(piece, this.table.subarray(tableFrom)) >= 0) {',
    replace: '    if (findBadPage(piece, this.table.subarray(tableFrom)) >= 1_000_000) {',
    by: [unit('storage-node/test/store/damage')],
  },
  {
    name: 'a read does not ask whose record it is (misdirected write)',
    file: `${STORE}/segment-shard-reader.ts`,
    find: "      if (!isHeaderOf(header, location, source.diskId)) throw corrupt(source, 'record header');",
    replace: '',
    by: [unit('storage-node/test/store')],
  },
  {
    name: 'an index that a power cut may have torn is believed (ShardStore)',
    file: `${STORE}/recover-store.ts`,
    find: '    const isSameBoot = state?.bootId === bootId;',
    replace: "    const isSameBoot = state?.bootId === bootId || bootId !== '';",
    by: [unit('storage-node/test/store/crash-points')],
  },
  {
    name: 'a deletion leaves no tombstone',
    file: `${STORE}/segment-store.ts`,
    find: "      const { entry } = await this.#append(head, [], Buffer.alloc(0));\n      const change: IndexChange =\n        location === null ? { kind: 'deleteEntry', id } : { kind: 'delete', location };\n      await this.#applyOrFence([change, ...this.#findings.clear(id)], entry.sequence);",
    replace:
      "      const change: IndexChange =\n        location === null ? { kind: 'deleteEntry', id } : { kind: 'delete', location };\n      await this.#applyOrFence([change, ...this.#findings.clear(id)], head.kind.length);",
    by: [unit('storage-node/test/store')],
  },
  {
    name: 'verification stops at the index',
    file: `${STORE}/segment-store.ts`,
    find: "    return (await this.#readsIntact(location)) ? 'intact' : 'corrupt';",
    replace: "    return location.segment >= 0 ? 'intact' : 'corrupt';",
    by: [unit('storage-node/test/store/damage')],
  },
  {
    name: 'a disk without a readable name is formatted',
    file: 'packages/storage-node/src/disk/disk-identity.ts',
    find: '    if (names.length === 0) return null;',
    replace: '    if (names.length < 1_000) return null;',
    by: [unit('storage-node/test')],
  },
  {
    name: 'a new disk appears before its bytes are there (minio 17416)',
    file: 'packages/storage-node/src/disk/replace-file.ts',
    find: '    await file.datasync();',
    replace: '',
    by: [unit('storage-node/test')],
  },
  {
    name: 'a sync that began earlier serves',
    file: 'packages/storage-node/src/disk/group-sync.ts',
    find: '    this.#next ??= this.#startNext();\n    return this.#next;',
    replace: '    this.#next ??= this.#startNext();\n    return this.#running ?? this.#next;',
    by: [unit('storage-node/test')],
  },
];
