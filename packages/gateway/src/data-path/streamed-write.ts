import { StoreError } from '@azimuth/common';
import type { GroupKind } from '@azimuth/placement';
import { newBlobId } from '@azimuth/proto';

import { wrongLength } from './body-length';
import type { ByteSource } from './byte-source';
import type { BodyDigests } from './checksum';
import { chooseGroup, GROUP_WAIT_MS } from './choose-group';
import type { WriteOptions } from './data-path';
import type { DataPathContext } from './data-path-context';
import { StripeWriter } from './stripe-writer';
import type { WrittenBlob } from './stripe-writer';

/** Stores a body stripe by stripe: one fills while the one before is sent. */
export async function writeStreamed(
  context: DataPathContext,
  source: ByteSource,
  options: WriteOptions & { readonly kind: GroupKind; readonly bodyDigests: BodyDigests },
): Promise<WrittenBlob> {
  const { kind, outagePolicy, isOneZone, signal, slot, sizeBytes } = options;
  const deadlineMs = context.clock.monotonicMs() + GROUP_WAIT_MS;
  const request = {
    kind,
    outagePolicy,
    isOneZone,
    excluded: new Set<number>(),
    deadlineMs,
    signal,
  };
  const chosen = await chooseGroup(context, request);
  const blobId = newBlobId(slot, context.clock.wallMs(), context.random);
  const writer = new StripeWriter(context, chosen, { blobId, sizeBytes }, signal);
  const pipeline = new StripePipeline(context, writer, options.bodyDigests);
  try {
    await source.readInto((chunk) => pipeline.push(chunk));
    await pipeline.end();
    return { blob: writer.blob, ...(await writer.finish()) };
  } catch (error) {
    writer.abort();
    await pipeline.abort();
    context.discarder.discardCutOff(writer.blob);
    throw error;
  }
}

interface FillingStripe {
  readonly offset: number;
  readonly blockBytes: number;
  readonly dataBytes: number;
  filledBytes: number;
}

/** Cuts pushed bytes into stripes in the codec's memory. Holds two stripes at most. */
class StripePipeline {
  readonly #context: DataPathContext;
  readonly #writer: StripeWriter;
  readonly #digests: BodyDigests;
  readonly #abort = new AbortController();
  #stripe: FillingStripe | null = null;
  #stripeIndex = 0;
  #missingBytes: number;
  #sending: Promise<void> = Promise.resolve();
  /** The push that waits for memory or for the network, if any. */
  #waiting: Promise<void> | null = null;

  constructor(context: DataPathContext, writer: StripeWriter, digests: BodyDigests) {
    this.#context = context;
    this.#writer = writer;
    this.#digests = digests;
    this.#missingBytes = writer.layout.sizeBytes;
  }

  push(chunk: Uint8Array): Promise<void> | undefined {
    if (chunk.length > this.#missingBytes) throw wrongLength(this.#writer.layout.sizeBytes);
    const stripe = this.#stripe;
    if (stripe !== null && chunk.length < stripe.dataBytes - stripe.filledBytes) {
      this.#copy(stripe, chunk);
      return undefined;
    }
    this.#waiting = this.#pushAcross(chunk);
    return this.#waiting;
  }

  async end(): Promise<void> {
    if (this.#missingBytes > 0) throw wrongLength(this.#writer.layout.sizeBytes);
    await this.#sending;
  }

  /** Gives the memory back once nothing reads or writes it any more. */
  async abort(): Promise<void> {
    this.#abort.abort();
    await Promise.allSettled([this.#waiting, this.#sending]);
    if (this.#stripe !== null) this.#context.writePool.free(this.#stripe.offset);
    this.#stripe = null;
  }

  /** A chunk that fills a stripe, or more than one. */
  async #pushAcross(chunk: Uint8Array): Promise<void> {
    let from = 0;
    while (from < chunk.length) {
      const stripe = this.#stripe ?? (await this.#openStripe());
      const to = Math.min(chunk.length, from + stripe.dataBytes - stripe.filledBytes);
      this.#copy(stripe, chunk.subarray(from, to));
      from = to;
      if (stripe.filledBytes === stripe.dataBytes) {
        await this.#sending;
        if (this.#abort.signal.aborted) throw new StoreError('CANCELLED');
        this.#stripe = null;
        this.#sending = this.#send(stripe);
        this.#sending.catch(() => undefined);
      }
    }
  }

  #copy(stripe: FillingStripe, bytes: Uint8Array): void {
    this.#context.codec.memory.set(bytes, stripe.offset + stripe.filledBytes);
    this.#digests.update(bytes);
    stripe.filledBytes += bytes.length;
    this.#missingBytes -= bytes.length;
  }

  async #openStripe(): Promise<FillingStripe> {
    const { profile, fullStripes, blockBytes, tailBlockBytes } = this.#writer.layout;
    const { k, m } = profile;
    const stripeBlockBytes = this.#stripeIndex < fullStripes ? blockBytes : tailBlockBytes;
    const blockCount = k === 1 ? 1 : k + m;
    const offset = await this.#context.writePool.allocate(
      blockCount * stripeBlockBytes,
      this.#abort.signal,
    );
    this.#stripeIndex += 1;
    this.#stripe = {
      offset,
      blockBytes: stripeBlockBytes,
      dataBytes: Math.min(k * stripeBlockBytes, this.#missingBytes),
      filledBytes: 0,
    };
    return this.#stripe;
  }

  async #send({ offset, blockBytes, dataBytes }: FillingStripe): Promise<void> {
    const { codec, writePool } = this.#context;
    try {
      const parityOffset = offset + this.#writer.blob.profile.k * blockBytes;
      codec.memory.fill(0, offset + dataBytes, parityOffset);
      await this.#writer.writeStripe({ dataOffset: offset, parityOffset, blockBytes });
    } finally {
      writePool.free(offset);
    }
  }
}
