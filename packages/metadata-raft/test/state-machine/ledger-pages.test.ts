import { COMMAND_RETRY_WINDOW_MS, decodeRecord, encodeRecord } from '@azimuth/proto';
import type { Command } from '@azimuth/proto';

import {
  CommandFinder,
  decodeEntry,
  encodeEntry,
  encodeEntryOf,
} from '../../src/state-machine/entry-codec';
import { CLOCK_SKEW_MAX_MS } from '../../src/state-machine/command-ledger';
import { MemoryKeyValueStore } from '../../src/state-machine/memory-key-value-store';
import { BUCKET_ID, commandOf, draftOf, IndexDriver, openIndex, START_MS } from './index-fixture';
import type { IndexMachine } from './index-fixture';

const KEPT_MS = COMMAND_RETRY_WINDOW_MS + CLOCK_SKEW_MAX_MS;
const ANSWERS_PER_PAGE = 32;

function commitOf(key: string): Command {
  const data = { inline: Buffer.from(key), blobs: [], missing: [] };
  const where = { bucketId: BUCKET_ID, key, versioning: 'enabled', precondition: null };
  return commandOf(
    'CommitVersion',
    { ...where, draft: draftOf(key, key.length, 'e'), data },
    START_MS,
  );
}

function commits(count: number): Command[] {
  return Array.from({ length: count }, (_, number) => commitOf(`key-${number}`));
}

/** An entry as it was written before there were pages. */
function oldEntryOf(command: Command): Buffer {
  return encodeRecord([START_MS, command]);
}

async function applyAll(machine: IndexMachine, entries: readonly Buffer[]): Promise<unknown[]> {
  const first = machine.lastApplied() + 1;
  const answers = await machine.apply(
    entries.map((data, position) => ({ index: first + position, term: 1, data })),
  );
  return answers.map((answer) => decodeRecord(answer!));
}

describe('pages of the ledger', () => {
  it('answer a retry as the first attempt, from an open page, a closed one and after a restart', async () => {
    const store = new MemoryKeyValueStore();
    const driver = await IndexDriver.open(store);
    const commands = commits(2 * ANSWERS_PER_PAGE + 5);
    const first = [];
    for (const command of commands) first.push(await driver.send(command));
    for (const [position, command] of commands.entries()) {
      expect(await driver.send(command)).toEqual(first[position]);
    }
    const again = new IndexDriver(await openIndex(store));
    for (const [position, command] of commands.entries()) {
      expect(await again.send(command)).toEqual(first[position]);
    }
  });

  it('G1: are the same however entries were grouped, so replicas agree on digest and snapshot', async () => {
    const entries = commits(3 * ANSWERS_PER_PAGE + 7).map((each) => encodeEntry(START_MS, each));
    const hashes = new Set<string>();
    const stores: string[] = [];
    for (const size of [1, 5, ANSWERS_PER_PAGE, entries.length]) {
      const store = new MemoryKeyValueStore();
      const machine = await openIndex(store);
      for (let at = 0; at < entries.length; at += size) {
        await applyAll(machine, entries.slice(at, at + size));
      }
      hashes.add(await machine.stateHash());
      const reader = store.range({ from: Buffer.from([0]), to: Buffer.from([0xff]) });
      const pairs = await reader.next(10_000);
      stores.push(
        pairs.map(([key, value]) => `${key.toString('hex')}=${value.toString('hex')}`).join(),
      );
      await reader.close();
    }
    expect(hashes.size).toBe(1);
    expect(new Set(stores).size).toBe(1);
  });

  it('are forgotten when the time of all in them is over, and not before', async () => {
    const driver = await IndexDriver.open();
    const commands = commits(ANSWERS_PER_PAGE);
    for (const command of commands) await driver.send(command);
    driver.nowMs = START_MS + KEPT_MS;
    expect(await driver.send(commands[0]!)).toMatchObject({ ok: true });
    expect(driver.machine.counters).toMatchObject({ ledgerPageHead: 0, ledgerPageTail: 1 });
    driver.nowMs += 1;
    expect(await driver.send(commands[0]!)).toMatchObject({ code: 'COMMAND_EXPIRED' });
    expect(driver.machine.counters).toMatchObject({ ledgerPageHead: 1, ledgerPageTail: 1 });
  });

  it('take over from records of their own, which a state and a log of before have', async () => {
    const store = new MemoryKeyValueStore();
    const machine = await openIndex(store);
    const commands = commits(4);
    const first = await applyAll(machine, commands.map(oldEntryOf));
    expect(machine.counters).toMatchObject({ ledgerTail: 4, ledgerPageTail: 0 });
    const reopened = await openIndex(store);
    const retries = commands.map((each) => encodeEntry(START_MS, each));
    expect(await applyAll(reopened, retries)).toEqual(first);
  });

  it('a page that a power cut took with it costs the state, which the log makes again', async () => {
    const store = new MemoryKeyValueStore();
    const machine = await openIndex(store);
    await applyAll(
      machine,
      commits(ANSWERS_PER_PAGE).map((each) => encodeEntry(START_MS, each)),
    );
    await store.write([{ key: Buffer.from('xp\0\0\0\0\0\0\0\0', 'latin1'), value: null }]);
    expect((await openIndex(store)).lastApplied()).toBe(0);
  });

  it('an answer larger than a page is a page', async () => {
    const driver = await IndexDriver.open();
    const limit = { reason: 'x'.repeat(40_000) };
    const command = commandOf(limit.reason, {}, START_MS);
    const refused = await driver.send(command);
    expect(refused).toMatchObject({ code: 'INVALID_ARGUMENT' });
    expect(driver.machine.counters.ledgerPageTail).toBe(1);
    expect(await driver.send(command)).toEqual(refused);
  });
});

describe('entries', () => {
  it('hold the bytes of the request, and mean what an entry made of the command means', () => {
    const command = commitOf('a');
    const body = encodeRecord({ kind: 'propose', group: 'index-0', command });
    const bytes = new CommandFinder('index-0').find(body);
    const entry = encodeEntryOf(START_MS, bytes!);
    expect(decodeEntry(entry)).toEqual(decodeEntry(encodeEntry(START_MS, command)));
    expect(entry.equals(encodeEntry(START_MS, command))).toBe(true);
  });

  it('are made anew of a request that says more than the command, or is for another group', () => {
    const command = commitOf('a');
    const finder = new CommandFinder('index-0');
    const request = { kind: 'propose', group: 'index-0', command };
    expect(finder.find(encodeRecord({ ...request, wantsIndex: true }))).toBeNull();
    expect(finder.find(encodeRecord({ ...request, group: 'index-1' }))).toBeNull();
    const reordered = { command, kind: 'propose', group: 'index-0' };
    expect(finder.find(encodeRecord(reordered))).toBeNull();
    expect(finder.find(Buffer.alloc(3))).toBeNull();
  });
});
