import type { ShardAddress, ShardAttributes, ShardWriter, StorageClient } from '@azimuth/clients';
import { StoreError } from '@azimuth/common';
import type { Clock, StoreErrorCode } from '@azimuth/common';

/** How a disk behaves. Every fault is one that the real client reports, in the same way. */
export type DiskFault =
  | { readonly kind: 'refuse'; readonly code: StoreErrorCode }
  /** Takes nothing and answers nothing, until the client's own time-out. */
  | { readonly kind: 'frozen' }
  | { readonly kind: 'slow'; readonly delayMs: number }
  /** Fails a write after that many bytes. */
  | { readonly kind: 'die-after'; readonly bytes: number }
  /** The shard is durable, but the writer never hears of it. */
  | { readonly kind: 'lose-ack' }
  /** Reads put wrong bytes in the target, then fail, as a checksum would find. */
  | { readonly kind: 'corrupt' };

const CLIENT_TIMEOUT_MS = 3_000;

/** The reference model of all storage nodes: shards in a map, faults by disk. */
export class MemoryStorage implements StorageClient {
  readonly shards = new Map<string, { readonly bytes: Buffer; readonly pgId: number }>();
  readonly faults = new Map<string, DiskFault>();
  readonly reads: { readonly key: string; readonly lengthBytes: number }[] = [];
  /** Blocks handed to `write` whose promise has not settled: nobody may change them. */
  readonly lentBlocks = new Set<Uint8Array>();
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  openShard(address: ShardAddress, attributes: ShardAttributes): ShardWriter {
    return new MemoryShardWriter(this, this.#clock, { address, attributes });
  }

  async readShard(
    address: ShardAddress,
    range: { readonly offsetBytes: number; readonly lengthBytes: number },
    options: { readonly target?: Uint8Array; readonly signal?: AbortSignal } = {},
  ): Promise<Uint8Array> {
    const key = keyOf(address);
    const { offsetBytes, lengthBytes } = range;
    this.reads.push({ key, lengthBytes });
    const target = options.target ?? Buffer.alloc(lengthBytes);
    await this.#suffer(address.diskId, options.signal);
    const shard = this.shards.get(key);
    if (shard === undefined) throw new StoreError('SHARD_NOT_FOUND');
    if (offsetBytes + lengthBytes > shard.bytes.length) throw new StoreError('INVALID_ARGUMENT');
    const bytes = shard.bytes.subarray(offsetBytes, offsetBytes + lengthBytes);
    if (this.faults.get(address.diskId)?.kind === 'corrupt') {
      target.fill(0xbd, 0, lengthBytes);
      throw new StoreError('SHARD_CORRUPT');
    }
    target.set(bytes);
    return target.subarray(0, lengthBytes);
  }

  async deleteShard(address: ShardAddress): Promise<void> {
    await this.#suffer(address.diskId);
    this.shards.delete(keyOf(address));
  }

  listShards(): ReturnType<StorageClient['listShards']> {
    throw new Error('not used by the data path');
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  /** Waits or fails as the disk does. */
  async #suffer(diskId: string, signal?: AbortSignal): Promise<void> {
    const fault = this.faults.get(diskId);
    if (signal?.aborted === true) throw new StoreError('CANCELLED');
    if (fault?.kind === 'refuse') throw new StoreError(fault.code);
    try {
      if (fault?.kind === 'frozen') {
        await this.#clock.sleep(CLIENT_TIMEOUT_MS, signal);
        throw new StoreError('TIMEOUT');
      }
      if (fault?.kind === 'slow') await this.#clock.sleep(fault.delayMs, signal);
    } catch (error) {
      throw error instanceof StoreError ? error : new StoreError('CANCELLED');
    }
    await Promise.resolve();
  }
}

class MemoryShardWriter implements ShardWriter {
  readonly #storage: MemoryStorage;
  readonly #clock: Clock;
  readonly #target: { readonly address: ShardAddress; readonly attributes: ShardAttributes };
  readonly #blocks: Buffer[] = [];
  readonly #abort = new AbortController();
  #receivedBytes = 0;
  #failure: StoreError | null = null;

  constructor(
    storage: MemoryStorage,
    clock: Clock,
    target: { readonly address: ShardAddress; readonly attributes: ShardAttributes },
  ) {
    this.#storage = storage;
    this.#clock = clock;
    this.#target = target;
  }

  async write(block: Uint8Array): Promise<void> {
    const before = Buffer.from(block);
    this.#storage.lentBlocks.add(block);
    try {
      await this.#suffer();
      if (!before.equals(block)) throw new Error('a block was changed while it was being sent');
      this.#blocks.push(before);
      this.#receivedBytes += block.length;
    } finally {
      this.#storage.lentBlocks.delete(block);
    }
  }

  async finish(): Promise<void> {
    await this.#suffer();
    const { address, attributes } = this.#target;
    const bytes = Buffer.concat(this.#blocks);
    if (bytes.length !== attributes.shardSizeBytes) throw new Error('shard of another size');
    this.#storage.shards.set(keyOf(address), { bytes, pgId: attributes.pgId });
    if (this.#fault()?.kind === 'lose-ack') throw this.#fail(new StoreError('TIMEOUT'));
  }

  abort(): void {
    this.#failure ??= new StoreError('CANCELLED');
    this.#abort.abort();
  }

  #fault(): DiskFault | undefined {
    return this.#storage.faults.get(this.#target.address.diskId);
  }

  #fail(error: StoreError): StoreError {
    this.#failure = error;
    return error;
  }

  #throwFailure(): void {
    if (this.#failure !== null) throw this.#failure;
  }

  async #suffer(): Promise<void> {
    this.#throwFailure();
    const fault = this.#fault();
    if (fault?.kind === 'refuse') throw this.#fail(new StoreError(fault.code));
    if (fault?.kind === 'die-after' && this.#receivedBytes >= fault.bytes) {
      throw this.#fail(new StoreError('UNAVAILABLE', { reason: 'ECONNRESET' }));
    }
    const delayMs =
      fault?.kind === 'frozen' ? CLIENT_TIMEOUT_MS : fault?.kind === 'slow' ? fault.delayMs : 0;
    try {
      if (delayMs > 0) await this.#clock.sleep(delayMs, this.#abort.signal);
    } catch {
      throw this.#fail(new StoreError('CANCELLED'));
    }
    await Promise.resolve();
    this.#throwFailure();
    if (fault?.kind === 'frozen') throw this.#fail(new StoreError('TIMEOUT'));
  }
}

export function keyOf({ diskId, blobId, shardIndex }: Omit<ShardAddress, 'node'>): string {
  return `${diskId}/${blobId}/${shardIndex}`;
}
