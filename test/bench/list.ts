/**
 * What a listing costs without HTTP and gRPC: one replica of each index group over real files, all
 * in this process, is given empty objects, and then asked for its part of pages of 1,000 keys from
 * random places. Prints the CPU of each step by key of a page, and of all of them together.
 *
 * Usage: npm run bench:list -- [--keys N] [--pages N] [--rounds N] [--groups N] [--share whole]
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { seededRandom } from '@azimuth/common';
import { decodeListRows, decodeRecord, encodeRecord, slotOfKey } from '@azimuth/proto';
import type { SessionResponse } from '@azimuth/proto';

import { xmlDocument } from '../../packages/gateway/src/http/xml/xml-writer';
import { mergePages, shareOfGroup } from '../../packages/gateway/src/s3/object/list-page';
import { contentsElements } from '../../packages/gateway/src/s3/object/listing-elements';
import { openFileLogDisk } from '../../packages/metadata-raft/src/disk/file-log-disk';
import { LevelKeyValueStore } from '../../packages/metadata-raft/src/state-machine/level-key-value-store';
import { SeparatedStore } from '../../packages/metadata-raft/src/state-machine/separated-store';
import { queryIndex } from '../../packages/metadata-raft/src/state-machine/index-queries';
import {
  BUCKET_ID,
  commandOf,
  draftOf,
  entryOf,
  openIndex,
} from '../../packages/metadata-raft/test/state-machine/index-fixture';
import type { IndexMachine } from '../../packages/metadata-raft/test/state-machine/index-fixture';
import { wholeNumberOption } from '../../scripts/number-option';

const PAGE_KEYS = 1_000;
const PAGES_AT_A_TIME = 4;
const BATCH_COMMANDS = 64;
const ETAG = 'd41d8cd98f00b204e9800998ecf8427e';
const EMPTY = { inline: Buffer.alloc(0), blobs: [], missing: [] };

type Page = Awaited<ReturnType<typeof readPart>>;

async function open(directory: string): Promise<IndexMachine> {
  const level = await LevelKeyValueStore.open(join(directory, 'state'), () => undefined);
  const values = await openFileLogDisk(join(directory, 'values'));
  return openIndex(await SeparatedStore.open({ base: level, disk: values }));
}

/** Ascending by number, as the pages are asked for. */
function keyOf(number: number): string {
  return `photos/${String(number).padStart(9, '0')}.jpg`;
}

/** In a shuffled order, so that the tables of LevelDB come about as they would in use. */
async function load(machines: readonly IndexMachine[], keys: number): Promise<void> {
  const stride = 7_919;
  for (let first = 0; first < keys; first += BATCH_COMMANDS) {
    const nowMs = Date.now();
    const count = Math.min(BATCH_COMMANDS, keys - first);
    const batch = Array.from({ length: count }, (_, at) => keyOf(((first + at) * stride) % keys));
    for (const [group, machine] of machines.entries()) {
      const own = batch.filter((key) => slotOfKey(BUCKET_ID, key) % machines.length === group);
      const entries = own.map((key, offset) => {
        const args = {
          ...{ bucketId: BUCKET_ID, key, versioning: 'unversioned', precondition: null },
          ...{ draft: draftOf(key, 0, ETAG), data: EMPTY },
        };
        const index = machine.lastApplied() + 1 + offset;
        return entryOf(index, nowMs, commandOf('CommitVersion', args, nowMs));
      });
      await machine.apply(entries);
    }
  }
}

async function readPart(machine: IndexMachine, after: string, limit: number) {
  return queryIndex(machine.commands.state, 'ListObjects', {
    ...{ bucketId: BUCKET_ID, prefix: 'photos/', delimiter: '', limit },
    ...{ after: { key: after, isPrefix: false }, withRows: true },
  });
}

/** As the gateway takes it. */
function decodePage(body: Buffer): Page {
  const response = decodeRecord(body) as Extract<SessionResponse, { ok: true }>;
  const page = response.result as Page;
  return page.rows === undefined ? page : { ...page, entries: decodeListRows(page.rows) };
}

function mergedEntries(parts: readonly Page[]): Page['entries'] {
  return mergePages(parts, PAGE_KEYS, (key) => ({ key, isPrefix: false })).entries;
}

function documentOf(parts: readonly Page[]): string {
  const contents = contentsElements(mergedEntries(parts), (key) => key, null);
  return xmlDocument('ListBucketResult', contents);
}

/** CPU of what `action` does, all threads of the process. */
async function cpuMicroseconds(action: () => Promise<void> | void): Promise<number> {
  const before = process.cpuUsage();
  await action();
  const { user, system } = process.cpuUsage(before);
  return user + system;
}

type Step = 'read' | 'encode' | 'decode' | 'document' | 'utf8';

/** Step by step for some pages at a time: one is too short to be measured, many stay in memory. */
async function measure(
  machines: readonly IndexMachine[],
  starts: readonly string[],
  share: number,
): Promise<Record<string, number>> {
  const used: Record<Step, number> = { read: 0, encode: 0, decode: 0, document: 0, utf8: 0 };
  let keys = 0;
  for (let first = 0; first < starts.length; first += PAGES_AT_A_TIME) {
    let pages: Page[][] = [];
    let bodies: Buffer[][] = [];
    let documents: string[] = [];
    used.read += await cpuMicroseconds(async () => {
      for (const after of starts.slice(first, first + PAGES_AT_A_TIME)) {
        pages.push(await Promise.all(machines.map((group) => readPart(group, after, share))));
      }
    });
    used.encode += await cpuMicroseconds(() => {
      bodies = pages.map((parts) => parts.map((result) => encodeRecord({ ok: true, result })));
    });
    used.decode += await cpuMicroseconds(() => {
      pages = bodies.map((parts) => parts.map(decodePage));
    });
    used.document += await cpuMicroseconds(() => {
      documents = pages.map(documentOf);
    });
    used.utf8 += await cpuMicroseconds(() => {
      for (const document of documents) Buffer.from(document, 'utf8');
    });
    for (const parts of pages) keys += mergedEntries(parts).length;
  }
  const all = Object.values(used).reduce((sum, value) => sum + value, 0);
  const byKey = Object.entries({ ...used, all }).map(([step, value]) => {
    return [step, Number((value / keys).toFixed(2))] as const;
  });
  return { ...Object.fromEntries(byKey), keysPerCpuSecond: Math.round((keys / all) * 1e6) };
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      keys: { type: 'string', default: '1000000' },
      pages: { type: 'string', default: '100' },
      rounds: { type: 'string', default: '3' },
      groups: { type: 'string', default: '1' },
      share: { type: 'string', default: 'even' },
    },
  });
  const keys = wholeNumberOption('keys', values.keys, PAGE_KEYS + 1);
  const pages = wholeNumberOption('pages', values.pages, 1);
  const count = wholeNumberOption('rounds', values.rounds, 1);
  const groups = wholeNumberOption('groups', values.groups, 1);
  // `whole`: each group is asked for a whole page.
  const share = values.share === 'whole' ? PAGE_KEYS : shareOfGroup(PAGE_KEYS, groups);
  const directory = mkdtempSync(join(tmpdir(), 'azimuth-list-'));
  try {
    const openAll = (): Promise<IndexMachine[]> =>
      Promise.all(Array.from({ length: groups }, (_, group) => open(join(directory, `${group}`))));
    let machines = await openAll();
    const loading = await cpuMicroseconds(() => load(machines, keys));
    // Opened anew, so that no compaction goes on while pages are read.
    for (const machine of machines) await machine.close();
    machines = await openAll();
    const random = seededRandom(1);
    const starts = Array.from({ length: pages }, () => keyOf(random.below(keys - PAGE_KEYS)));
    await measure(machines, starts, share);
    const rounds: Record<string, number>[] = [];
    for (let round = 0; round < count; round += 1) {
      const startedMs = performance.now();
      const result = await measure(machines, starts, share);
      const seconds = (performance.now() - startedMs) / 1000;
      rounds.push({ ...result, keysPerSecond: Math.round((pages * PAGE_KEYS) / seconds) });
    }
    const loadMicroseconds = Number((loading / keys).toFixed(1));
    process.stdout.write(
      `${JSON.stringify({ keys, groups, share, loadMicroseconds, rounds }, null, 2)}\n`,
    );
    for (const machine of machines) await machine.close();
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? (error.stack ?? '') : String(error)}\n`);
  process.exitCode = 1;
});
