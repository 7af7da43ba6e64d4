import type { Frame__Output as Frame } from '../gen/azimuth/metadata/v1/Frame';
import type { Frames__Output as Frames } from '../gen/azimuth/metadata/v1/Frames';

import { ProtobufReader } from './protobuf-reader';
import { ProtobufWriter, WIRE_BYTES, WIRE_VARINT } from './protobuf-writer';

/**
 * `azimuth.metadata.v1.Frames` by hand: what the library reads and writes, without converting every
 * message to an object of its own first.
 */
const FRAMES_FRAMES = 1;
const FRAME_ID = 1;
const FRAME_BODY = 2;
const FRAME_OVERHEAD_BYTES = 24;

export function encodeFrames({ frames }: Frames): Buffer {
  let sizeBytes = 0;
  for (const { body } of frames) sizeBytes += body.length + FRAME_OVERHEAD_BYTES;
  const writer = new ProtobufWriter(sizeBytes);
  for (let position = frames.length - 1; position >= 0; position -= 1) {
    const { id, body } = frames[position] as Frame;
    const before = writer.sizeBytes;
    writer.bytes(FRAME_BODY, body);
    writer.count(FRAME_ID, id);
    writer.lengthOf(FRAMES_FRAMES, writer.sizeBytes - before);
  }
  return writer.finish();
}

/** @throws StoreError INVALID_ARGUMENT */
export function decodeFrames(source: Buffer): Frames {
  const frames: Frame[] = [];
  const reader = new ProtobufReader(source);
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === FRAMES_FRAMES * 8 + WIRE_BYTES) frames.push(decodeFrame(reader.message()));
    else reader.skip(tag);
  }
  return { frames };
}

function decodeFrame(reader: ProtobufReader): Frame {
  let id = 0;
  let body: Buffer = Buffer.alloc(0);
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === FRAME_ID * 8 + WIRE_VARINT) id = reader.count();
    else if (tag === FRAME_BODY * 8 + WIRE_BYTES) body = reader.bytes();
    else reader.skip(tag);
  }
  return { id, body };
}
