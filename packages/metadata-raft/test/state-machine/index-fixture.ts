import { COMMAND_VERSION, decodeRecord, slotOfKey } from '@azimuth/proto';
import type {
  BlobRef,
  Command,
  CommittedData,
  IndexQueries,
  IndexQueryName,
  SessionResponse,
  VersionDraft,
} from '@azimuth/proto';

import { encodeEntry } from '../../src/state-machine/entry-codec';
import { GroupStateMachine } from '../../src/state-machine/group-state-machine';
import { IndexCommandSet } from '../../src/state-machine/index-commands';
import { queryIndex } from '../../src/state-machine/index-queries';
import type { KeyValueStore } from '../../src/state-machine/key-value-store';
import { MemoryKeyValueStore } from '../../src/state-machine/memory-key-value-store';

export const BUCKET_ID = '00112233445566778899aabbccddeeff';
export const START_MS = 1_800_000_000_000;

export type IndexMachine = GroupStateMachine<IndexCommandSet>;

export function openIndex(store: KeyValueStore = new MemoryKeyValueStore()): Promise<IndexMachine> {
  return GroupStateMachine.open(
    store,
    (records, counters) => new IndexCommandSet(records, counters),
  );
}

let commandCount = 0;

export function commandOf(name: string, args: unknown, issuedMs: number): Command {
  commandCount += 1;
  const commandId = commandCount.toString(16).padStart(32, '0');
  return { version: COMMAND_VERSION, name, commandId, issuedMs, args };
}

export function entryOf(index: number, nowMs: number, command: Command) {
  return { index, term: 1, data: encodeEntry(nowMs, command) };
}

/** One replica that is driven command by command. */
export class IndexDriver {
  readonly machine: IndexMachine;
  nowMs = START_MS;

  constructor(machine: IndexMachine) {
    this.machine = machine;
  }

  static async open(store?: KeyValueStore): Promise<IndexDriver> {
    return new IndexDriver(await openIndex(store));
  }

  async send(command: Command): Promise<SessionResponse> {
    const index = this.machine.lastApplied() + 1;
    const [answer] = await this.machine.apply([entryOf(index, this.nowMs, command)]);
    return decodeRecord(answer!) as SessionResponse;
  }

  run(name: string, args: unknown): Promise<SessionResponse> {
    return this.send(commandOf(name, args, this.nowMs));
  }

  async query<Name extends IndexQueryName>(
    name: Name,
    args: IndexQueries[Name]['args'],
  ): Promise<IndexQueries[Name]['result']> {
    return queryIndex(this.machine.commands.state, name, args);
  }
}

export function draftOf(key: string, sizeBytes: number, etag: string): VersionDraft {
  return {
    key,
    sizeBytes,
    etag,
    storageClass: 'STANDARD',
    owner: 'me',
    headers: { 'content-type': 'text/plain' },
    userMetadata: { colour: 'blue' },
    checksum: null,
    tags: { team: 'red' },
    acl: null,
  };
}

export function inlineData(text: string): CommittedData {
  return { inline: Buffer.from(text), blobs: [], missing: [] };
}

export function blobOf(key: string, number: number, changes: Partial<BlobRef> = {}): BlobRef {
  const slot = slotOfKey(BUCKET_ID, key).toString(16).padStart(2, '0');
  const createdMs = START_MS.toString(16).padStart(12, '0');
  return {
    blobId: slot + createdMs + number.toString(16).padStart(18, '0'),
    pgId: 7,
    sizeBytes: 100,
    profile: { k: 4, m: 2 },
    blockBytes: 4096,
    isReduced: false,
    ...changes,
  };
}

export function blobData(blob: BlobRef, missingShards: readonly number[] = []): CommittedData {
  const { blobId } = blob;
  const missing = missingShards.length === 0 ? [] : [{ blobId, shardIndexes: missingShards }];
  return { inline: null, blobs: [blob], missing };
}
