import { StoreError, assert } from '@azimuth/common';
import { crc32c } from '@node-rs/crc32';

import type { ConfigurationRecord, LogIndex, NodeId, Term } from '../core/message';

import type { LogDisk, LogFile } from '../disk/log-disk';

/** What the state file keeps of one group. */
export interface GroupState {
  readonly currentTerm: Term;
  readonly votedFor: NodeId | null;
  readonly repairIndex: LogIndex;
  /** Absent in older files: false. */
  readonly isRejoining?: boolean;
  readonly snapshotIndex: LogIndex;
  readonly snapshotTerm: Term;
  /** Absent in files that were written before it could change. */
  readonly snapshotConfiguration?: ConfigurationRecord | null;
  /** Lower bound of what this node ever acknowledged. */
  readonly ackedIndex: LogIndex;
}

export interface NodeState {
  /** Names the segments that count; others are left over from an interrupted rewrite. */
  readonly epoch: number;
  /** The first segment that counts; it must exist. */
  readonly firstSegment: number;
  /** Lower bound of the last batch that was synced. */
  readonly ackedBatch: number;
  /** The directory replaced a lost one: groups that are not listed abstain until repaired. */
  readonly isRejoining: boolean;
  /** Names this log: another one of the same node is another one. Absent in older files. */
  readonly incarnation?: string;
  readonly groups: Readonly<Record<string, GroupState>>;
}

export const STATE_FILE_NAME = 'raft-state';
const NEW_FILE_NAME = 'raft-state.new';
const FORMAT_VERSION = 1;
const MAGIC = 0x415a5253; // 'AZRS'
const HEADER_BYTES = 24;
/** One copy of one version. */
const COPY_BYTES = 64 * 1024;
const COPIES = 2;
const VERSION_BYTES = COPY_BYTES * COPIES;

/**
 * Terms and votes, in one small file of two versions with two copies each. A save overwrites the
 * older version, so a torn save leaves the newer one; and because a version has two copies, one
 * rotten sector never makes the node fall back to a vote it has already replaced.
 */
export class StateStorage {
  readonly #file: LogFile;
  #sequence: number;

  private constructor(file: LogFile, sequence: number) {
    this.#file = file;
    this.#sequence = sequence;
  }

  /** Creates the file, durably: it is there with its content or not at all. */
  static async create(disk: LogDisk, state: NodeState): Promise<StateStorage> {
    const file = await disk.open(NEW_FILE_NAME);
    const storage = new StateStorage(file, 0);
    await storage.save(state);
    await disk.rename(NEW_FILE_NAME, STATE_FILE_NAME);
    await disk.syncDirectory();
    return storage;
  }

  /**
   * @throws StoreError STATE_CORRUPT when no version can be read. The node may have voted, and does
   *   not know for whom: it must not run.
   */
  static async load(
    disk: LogDisk,
  ): Promise<{ readonly storage: StateStorage; readonly state: NodeState }> {
    const file = await disk.open(STATE_FILE_NAME);
    let newest: { sequence: number; state: NodeState } | null = null;
    for (let copy = 0; copy < 2 * COPIES; copy += 1) {
      const found = decodeCopy(file.read(copy * COPY_BYTES, COPY_BYTES));
      if (found !== null && (newest === null || found.sequence > newest.sequence)) newest = found;
    }
    if (newest === null) throw new StoreError('STATE_CORRUPT', { file: STATE_FILE_NAME });
    return { storage: new StateStorage(file, newest.sequence), state: newest.state };
  }

  /** False when a copy that was written cannot be read. Not during a save. */
  isIntact(): boolean {
    const versions = this.#sequence === 1 ? [1] : [this.#sequence, this.#sequence - 1];
    return versions.every((sequence) =>
      Array.from({ length: COPIES }, (_, copy) => copy).every((copy) => {
        const offset = (sequence % 2) * VERSION_BYTES + copy * COPY_BYTES;
        return decodeCopy(this.#file.read(offset, COPY_BYTES))?.sequence === sequence;
      }),
    );
  }

  /** Durable when it resolves. One call at a time. */
  async save(state: NodeState): Promise<void> {
    this.#sequence += 1;
    const copy = encodeCopy(this.#sequence, state);
    const offset = (this.#sequence % 2) * VERSION_BYTES;
    for (let index = 0; index < COPIES; index += 1) {
      await this.#file.write(offset + index * COPY_BYTES, copy);
    }
    await this.#file.sync();
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}

function encodeCopy(sequence: number, state: NodeState): Buffer {
  const payload = Buffer.from(JSON.stringify(state));
  assert(HEADER_BYTES + payload.length <= COPY_BYTES, 'too many groups for the state file');
  const copy = Buffer.alloc(HEADER_BYTES + payload.length);
  copy.writeUInt32LE(MAGIC, 0);
  copy.writeUInt16LE(FORMAT_VERSION, 8);
  copy.writeUInt32LE(payload.length, 12);
  copy.writeBigUInt64LE(BigInt(sequence), 16);
  payload.copy(copy, HEADER_BYTES);
  copy.writeUInt32LE(crc32c(copy.subarray(8)), 4);
  return copy;
}

function decodeCopy(bytes: Buffer): { sequence: number; state: NodeState } | null {
  if (bytes.length < HEADER_BYTES || bytes.readUInt32LE(0) !== MAGIC) return null;
  const end = HEADER_BYTES + bytes.readUInt32LE(12);
  if (end > bytes.length || crc32c(bytes.subarray(8, end)) !== bytes.readUInt32LE(4)) return null;
  if (bytes.readUInt16LE(8) !== FORMAT_VERSION) {
    throw new StoreError('STATE_CORRUPT', { formatVersion: bytes.readUInt16LE(8) });
  }
  return {
    sequence: Number(bytes.readBigUInt64LE(16)),
    state: JSON.parse(bytes.toString('utf8', HEADER_BYTES, end)) as NodeState,
  };
}
