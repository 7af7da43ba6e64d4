import { PageChecksums } from '@azimuth/clients';
import type { ShardAddress, ShardAttributes, ShardWriter, StorageClient } from '@azimuth/clients';
import { hasCode, StoreError } from '@azimuth/common';
import { createCodec, reconstructShards } from '@azimuth/erasure';
import { shardCount } from '@azimuth/placement';
import type { SegmentStore, ShardUpload } from '@azimuth/storage-node';

import type { StorageControl } from '../../../packages/curator/src/storage-control';

import type { Actor } from './actor';
import type { StorageMachine } from './storage-machine';

const SHARD_BYTES_MAX = 2 ** 30;
const EMPTY = new Uint8Array();
const codec = createCodec({ arenaBytes: 8 * 1024 * 1024 });

/** The machines by disk, and what to check before a shard is deleted. */
export interface Machines {
  machineOf(diskId: string): StorageMachine;
  beforeDelete(blobId: string, actor: Actor): Promise<void>;
}

/** The storage nodes as one process reaches them: without sockets, with the fates of its calls. */
export function actorStorage(actor: Actor, machines: Machines): StorageClient {
  const reach = <T>(what: string, diskId: string, use: (store: SegmentStore) => Promise<T>) => {
    const machine = machines.machineOf(diskId);
    return actor.perform(`${what} ${machine.nodeId}`, 'TIMEOUT', () => onMachine(machine, use));
  };
  return {
    openShard: (address, attributes) =>
      new LocalShardWriter({ actor, address, attributes, machines }),
    readShard: ({ diskId, blobId, shardIndex }, range, options = {}) =>
      reach('read', diskId, async (store) => {
        const bytes = await readStored(store, { blobId, shardIndex }, range);
        if (options.target === undefined) return bytes;
        options.target.set(bytes);
        return options.target.subarray(0, bytes.length);
      }),
    deleteShard: ({ diskId, blobId, shardIndex }) =>
      reach('delete', diskId, async (store) => {
        await machines.beforeDelete(blobId, actor);
        await store.delete({ blobId, shardIndex });
      }),
    listShards: (_node, { diskId, pgId, afterBlobId, limit }) =>
      reach('list', diskId, (store) => store.list(pgId, afterBlobId, limit)),
    close: () => Promise.resolve(),
  };
}

/** What a curator asks beside, in the same way. */
export function actorControl(actor: Actor, machines: Machines): StorageControl {
  const reach = <T>(what: string, diskId: string, use: (store: SegmentStore) => Promise<T>) => {
    const machine = machines.machineOf(diskId);
    return actor.perform(`${what} ${machine.nodeId}`, 'TIMEOUT', () => onMachine(machine, use));
  };
  return {
    verifyShards: (_node, diskId, shards) =>
      reach('verify', diskId, (store) => Promise.all(shards.map((shard) => store.verify(shard)))),
    listFindings: (_node, diskId, limit) =>
      reach('findings', diskId, (store) =>
        Promise.resolve(store.findings(limit).map(({ id, pgId }) => ({ ...id, pgId }))),
      ),
    rebuildShard: (target, attributes, sources) =>
      reach('rebuild', target.diskId, async (store) => {
        const shards = new Array<Uint8Array | null>(shardCount(attributes.profile)).fill(null);
        for (const { diskId, blobId, shardIndex } of sources) {
          try {
            shards[shardIndex] = await onMachine(machines.machineOf(diskId), (source) =>
              readStored(source, { blobId, shardIndex }),
            );
          } catch (error) {
            const code = error instanceof StoreError ? error.code : 'INTERNAL';
            return { isWritten: false, failedSources: [{ shardIndex, code }] };
          }
        }
        await storeRebuilt(store, target, { attributes, shards });
        return { isWritten: true, failedSources: [] };
      }),
    close: () => undefined,
  };
}

/** Computes the shard of `target` from the others, and stores it as a storage node does. */
async function storeRebuilt(
  store: SegmentStore,
  { blobId, shardIndex }: ShardAddress,
  from: { readonly attributes: ShardAttributes; readonly shards: readonly (Uint8Array | null)[] },
): Promise<void> {
  const { attributes, shards } = from;
  const [bytes = EMPTY] = reconstructShards(codec, attributes.profile, shards, [shardIndex]);
  const checksums = new PageChecksums(bytes.byteLength);
  checksums.update(bytes);
  const upload = await store.beginPut({ blobId, shardIndex }, attributes);
  try {
    await copyInto(upload, bytes);
    await copyInto(upload, checksums.table());
    await upload.finish();
  } catch (error) {
    await upload.abort();
    if (!hasCode(error, 'SHARD_EXISTS')) throw error;
  }
}

/** A machine that is down answers nothing, whatever its store would say. */
async function onMachine<T>(
  machine: StorageMachine,
  use: (store: SegmentStore) => Promise<T>,
): Promise<T> {
  const { store } = machine;
  if (store === null) throw new StoreError('UNAVAILABLE', { nodeId: machine.nodeId });
  try {
    return await use(store);
  } catch (error) {
    if (machine.store === store) throw error;
    throw new StoreError('UNAVAILABLE', { nodeId: machine.nodeId }, error);
  }
}

interface WriterOptions {
  readonly actor: Actor;
  readonly address: ShardAddress;
  readonly attributes: ShardAttributes;
  readonly machines: Machines;
}

class LocalShardWriter implements ShardWriter {
  readonly #options: WriterOptions;
  readonly #machine: StorageMachine;
  readonly #checksums: PageChecksums;
  #upload: Promise<ShardUpload> | null = null;
  #isAborted = false;

  constructor(options: WriterOptions) {
    this.#options = options;
    this.#machine = options.machines.machineOf(options.address.diskId);
    this.#checksums = new PageChecksums(options.attributes.shardSizeBytes);
  }

  async write(block: Uint8Array): Promise<void> {
    this.#requireOpen();
    this.#checksums.update(block);
    await this.#perform('write', (upload) => copyInto(upload, block));
  }

  async finish(): Promise<void> {
    this.#requireOpen();
    await this.#perform('finish', async (upload) => {
      await copyInto(upload, this.#checksums.table());
      await upload.finish();
    });
  }

  /** The connection is cut; what the node has of the shard goes. */
  abort(): void {
    this.#isAborted = true;
    this.#upload?.then((upload) => upload.abort()).catch(() => undefined);
  }

  async #perform(what: string, use: (upload: ShardUpload) => Promise<void>): Promise<void> {
    const { actor, address, attributes } = this.#options;
    const { blobId, shardIndex } = address;
    try {
      await actor.perform(`${what} ${this.#machine.nodeId}`, 'TIMEOUT', () =>
        onMachine(this.#machine, async (store) => {
          this.#requireOpen();
          this.#upload ??= store.beginPut({ blobId, shardIndex }, attributes);
          await use(await this.#upload);
        }),
      );
    } catch (error) {
      this.abort();
      throw error;
    }
  }

  #requireOpen(): void {
    if (this.#isAborted) throw new StoreError('CANCELLED');
  }
}

async function copyInto(upload: ShardUpload, bytes: Uint8Array): Promise<void> {
  for (let from = 0; from < bytes.byteLength;) {
    const room = upload.room();
    if (room.byteLength === 0) throw new StoreError('SHARD_SIZE_MISMATCH');
    const count = Math.min(room.byteLength, bytes.byteLength - from);
    room.set(bytes.subarray(from, from + count));
    await upload.fill(count);
    from += count;
  }
}

/** Verified bytes of a shard; by default all of them. */
export async function readStored(
  store: SegmentStore,
  id: { readonly blobId: string; readonly shardIndex: number },
  range = { offsetBytes: 0, lengthBytes: SHARD_BYTES_MAX },
): Promise<Buffer> {
  const reader = await store.openRead(id, range);
  try {
    const pieces: Buffer[] = [];
    for (let piece = await reader.next(); piece !== null; piece = await reader.next()) {
      pieces.push(Buffer.from(piece));
    }
    return Buffer.concat(pieces);
  } finally {
    reader.close();
  }
}
