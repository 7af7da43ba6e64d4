import { assert, hasCode } from '@azimuth/common';
import { SHARDS_MAX, VECTOR_BYTES } from '@azimuth/erasure';
import { stripeLayout } from '@azimuth/placement';
import type { GroupKind, Profile } from '@azimuth/placement';
import { newBlobId } from '@azimuth/proto';

import { wrongLength } from './body-length';
import type { ByteSource } from './byte-source';
import type { BodyDigests } from './checksum';
import { chooseGroup, GROUP_WAIT_MS } from './choose-group';
import type { WriteOptions } from './data-path';
import type { DataPathContext } from './data-path-context';
import { StripeWriter } from './stripe-writer';
import type { ChosenGroup, WrittenBlob } from './stripe-writer';

/** Zeroes behind the data, so that a tail stripe of any profile can be cut from it. */
const PADDING_BYTES = SHARDS_MAX * VECTOR_BYTES;
const ATTEMPTS_MAX = 4;

/**
 * Stores a body that fits in memory: it is read whole first, so that an attempt that failed can be
 * repeated in another group, of whatever profile.
 */
export async function writeBuffered(
  context: DataPathContext,
  source: ByteSource,
  options: WriteOptions & { readonly kind: GroupKind; readonly bodyDigests: BodyDigests },
): Promise<WrittenBlob> {
  const { sizeBytes, kind, outagePolicy, isOneZone, signal } = options;
  const request = { kind, outagePolicy, isOneZone, excluded: new Set<number>(), signal };
  const first = await chooseGroup(context, { ...request, deadlineMs: deadline(context) });
  const parityRoom = parityBytes(sizeBytes, first);
  const dataRoom = roundUp(sizeBytes) + PADDING_BYTES;
  const dataOffset = await context.writePool.allocate(dataRoom + parityRoom, signal);
  try {
    await fill(context, source, { ...options, dataOffset });
    context.codec.memory.fill(0, dataOffset + sizeBytes, dataOffset + dataRoom);
    const buffer = { dataOffset, parityOffset: dataOffset + dataRoom, parityRoom };
    return await attemptAll(context, { ...options, first, buffer });
  } finally {
    context.writePool.free(dataOffset);
  }
}

interface BodyBuffer {
  readonly dataOffset: number;
  readonly parityOffset: number;
  readonly parityRoom: number;
}

interface BufferedBody extends WriteOptions {
  readonly kind: GroupKind;
  readonly first: ChosenGroup;
  readonly buffer: BodyBuffer;
}

async function attemptAll(context: DataPathContext, body: BufferedBody): Promise<WrittenBlob> {
  const excluded = new Set<number>();
  const deadlineMs = deadline(context);
  let chosen = body.first;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await attemptOnce(context, chosen, body);
    } catch (error) {
      const isWorthRetrying = hasCode(error, 'QUORUM_NOT_REACHED', 'OVERLOADED');
      if (!isWorthRetrying || attempt === ATTEMPTS_MAX) throw error;
      excluded.add(chosen.group.pgId);
      const { kind, outagePolicy, isOneZone, signal } = body;
      const request = { kind, outagePolicy, isOneZone, excluded, deadlineMs, signal };
      chosen = await chooseGroup(context, request);
    }
  }
}

async function attemptOnce(
  context: DataPathContext,
  chosen: ChosenGroup,
  body: BufferedBody,
): Promise<WrittenBlob> {
  const { sizeBytes, slot, signal, buffer } = body;
  const needed = parityBytes(sizeBytes, chosen);
  const extra =
    needed > buffer.parityRoom ? await context.writePool.allocate(needed, signal) : null;
  const blobId = newBlobId(slot, context.clock.wallMs(), context.random);
  const writer = new StripeWriter(context, chosen, { blobId, sizeBytes }, signal);
  try {
    const { profile, fullStripes, blockBytes, tailBlockBytes } = writer.layout;
    let { dataOffset } = buffer;
    let parityOffset = extra ?? buffer.parityOffset;
    for (let stripe = 0; stripe * profile.k * blockBytes < sizeBytes; stripe += 1) {
      const stripeBlockBytes = stripe < fullStripes ? blockBytes : tailBlockBytes;
      await writer.writeStripe({ dataOffset, parityOffset, blockBytes: stripeBlockBytes });
      dataOffset += profile.k * stripeBlockBytes;
      parityOffset += profile.m * stripeBlockBytes;
    }
    return { blob: writer.blob, ...(await writer.finish()) };
  } catch (error) {
    writer.abort();
    context.discarder.discardCutOff(writer.blob);
    throw error;
  } finally {
    if (extra !== null) context.writePool.free(extra);
  }
}

async function fill(
  { codec }: DataPathContext,
  source: ByteSource,
  target: {
    readonly sizeBytes: number;
    readonly dataOffset: number;
    readonly bodyDigests: BodyDigests;
  },
): Promise<void> {
  let received = 0;
  let isOpen = true;
  try {
    await source.readInto((chunk) => {
      assert(isOpen, 'a source pushed after its end');
      if (received + chunk.length > target.sizeBytes) throw wrongLength(target.sizeBytes);
      codec.memory.set(chunk, target.dataOffset + received);
      target.bodyDigests.update(chunk);
      received += chunk.length;
      return undefined;
    });
  } finally {
    isOpen = false;
  }
  if (received !== target.sizeBytes) throw wrongLength(target.sizeBytes);
}

function parityBytes(sizeBytes: number, { map, group }: ChosenGroup): number {
  const profile: Profile = group.profile;
  if (profile.k === 1) return 0;
  return profile.m * stripeLayout(sizeBytes, profile, map.settings.blockBytes).shardSizeBytes;
}

function deadline({ clock }: DataPathContext): number {
  return clock.monotonicMs() + GROUP_WAIT_MS;
}

function roundUp(sizeBytes: number): number {
  return Math.ceil(sizeBytes / VECTOR_BYTES) * VECTOR_BYTES;
}
