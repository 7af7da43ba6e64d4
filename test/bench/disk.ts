/**
 * What small objects cost on the disk of a metadata node: one replica of an index group over real
 * files, all in this process, is given objects whose bodies do not compress. Prints the bytes of
 * each kind of file for each object, how long the log became, how much was written, and the CPU.
 *
 * Usage: npm run bench:disk -- [--objects N] [--bytes N] [--clients N]
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { seededRandom, silentLogger, systemClock, systemRandom } from '@azimuth/common';

import { openFileLogDisk } from '../../packages/metadata-raft/src/disk/file-log-disk';
import { createMetadataDriver } from '../../packages/metadata-raft/src/driver/metadata-driver';
import { encodeEntry } from '../../packages/metadata-raft/src/state-machine/entry-codec';
import { GroupStateMachine } from '../../packages/metadata-raft/src/state-machine/group-state-machine';
import { IndexCommandSet } from '../../packages/metadata-raft/src/state-machine/index-commands';
import { LevelKeyValueStore } from '../../packages/metadata-raft/src/state-machine/level-key-value-store';
import { SeparatedStore } from '../../packages/metadata-raft/src/state-machine/separated-store';
import { MemoryTransportHub } from '../../packages/metadata-raft/src/transport/memory-transport';
import {
  BUCKET_ID,
  commandOf,
  draftOf,
} from '../../packages/metadata-raft/test/state-machine/index-fixture';
import { wholeNumberOption } from '../../scripts/number-option';

const GROUP = 'index-0';
const KIB = 1024;
const MIB = 1024 * KIB;
const SAMPLES = 500;
/** Bodies are pieces of this, at odd offsets. */
const NOISE_BYTES = 8 * MIB;

async function open(directory: string) {
  const level = await LevelKeyValueStore.open(join(directory, 'state', GROUP), () => undefined);
  const values = await openFileLogDisk(join(directory, 'values', GROUP));
  const machine = await GroupStateMachine.open(
    await SeparatedStore.open({ base: level, disk: values }),
    (records, counters) => new IndexCommandSet(records, counters),
  );
  const driver = createMetadataDriver({
    ...{ nodeId: 'n1', voters: ['n1'], whenEmpty: 'bootstrap', bootId: 'bench' },
    disk: await openFileLogDisk(join(directory, 'log')),
    transport: new MemoryTransportHub().transport('n1'),
    ...{ clock: systemClock, random: systemRandom, logger: silentLogger },
    onFatal: (error) => {
      throw error instanceof Error ? error : new Error(String(error));
    },
  });
  const group = driver.addGroup(GROUP, machine);
  await driver.start();
  while (group.status().role !== 'leader') await systemClock.sleep(10);
  return { driver, machine, group };
}

/** Bytes of the files below `directory` whose path contains `part`. */
function bytesOf(directory: string, part: string): number {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => path.includes(part))
    .reduce((sum, path) => sum + (statSync(path, { throwIfNoEntry: false })?.size ?? 0), 0);
}

/** What this process has handed to write(2), and what of it reached the block layer. */
function written(): { readonly calls: number; readonly blocks: number } {
  const text = readFileSync('/proc/self/io', 'latin1');
  const field = (name: string): number => {
    return Number(new RegExp(`^${name}: (\\d+)`, 'm').exec(text)?.[1]);
  };
  return { calls: field('wchar'), blocks: field('write_bytes') };
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      objects: { type: 'string', default: '200000' },
      bytes: { type: 'string', default: '4096' },
      clients: { type: 'string', default: '128' },
    },
  });
  const objects = wholeNumberOption('objects', values.objects, 1);
  const bodyBytes = wholeNumberOption('bytes', values.bytes, 0);
  const directory = mkdtempSync(join(tmpdir(), 'azimuth-disk-'));
  try {
    const { driver, machine, group } = await open(directory);
    const noise = seededRandom(1).bytes(NOISE_BYTES);
    const [before, cpuBefore] = [written(), process.cpuUsage()];
    let logBytesMax = 0;
    let next = 0;
    const client = async (): Promise<void> => {
      while (next < objects) {
        const at = next;
        next += 1;
        const key = `photos/${at % 997}/${String(at).padStart(9, '0')}.jpg`;
        const offset = (at * 7_919) % (NOISE_BYTES - bodyBytes);
        const inline = noise.subarray(offset, offset + bodyBytes);
        const args = {
          ...{ bucketId: BUCKET_ID, key, versioning: 'unversioned', precondition: null },
          draft: draftOf(key, bodyBytes, 'd41d8cd98f00b204e9800998ecf8427e'),
          data: { inline, blobs: [], missing: [] },
        };
        const nowMs = Date.now();
        await group.propose(encodeEntry(nowMs, commandOf('CommitVersion', args, nowMs)));
        if (at % SAMPLES === 0) logBytesMax = Math.max(logBytesMax, bytesOf(directory, '/wal-'));
      }
    };
    await Promise.all(
      Array.from({ length: wholeNumberOption('clients', values.clients, 1) }, client),
    );
    const [after, cpu] = [written(), process.cpuUsage(cpuBefore)];
    const kibPerObject = (bytes: number): number => Number((bytes / objects / KIB).toFixed(3));
    const kinds = { values: '/values/', level: '/state/', snapshots: '/snapshot-', log: '/wal-' };
    const perObject = Object.fromEntries(
      Object.entries(kinds).map(([kind, part]) => [kind, kibPerObject(bytesOf(directory, part))]),
    );
    const report = {
      ...{ objects, bodyBytes, kibPerObject: perObject },
      logMibMax: Number((logBytesMax / MIB).toFixed(1)),
      snapshotFiles: readdirSync(join(directory, 'log')).filter((name) => name.startsWith('snap'))
        .length,
      kibWrittenPerObject: kibPerObject(after.calls - before.calls),
      kibToBlocksPerObject: kibPerObject(after.blocks - before.blocks),
      cpuMicrosecondsPerObject: Math.round((cpu.user + cpu.system) / objects),
    };
    process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
    await driver.close();
    await machine.close();
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? (error.stack ?? '') : String(error)}\n`);
  process.exitCode = 1;
});
