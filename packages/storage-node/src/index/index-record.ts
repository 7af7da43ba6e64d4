import { crc32c } from '@node-rs/crc32';

import type { RecordEntry } from '../segment/segment-format';
import type { ShardId } from '../segment/shard-id';

/** Where a live shard is. */
export interface ShardLocation extends RecordEntry {
  readonly segment: number;
}

/**
 * Keys: `b` blobId(16) shardIndex(1) → location · `p` pgId(8) blobId(16) shardIndex(1) → nothing,
 * for listing a group · `t` as `b`, tombstones while a rebuild runs · `f` as `b`, findings · `m`
 * name.
 */
export const KEY_SPACES = { shard: 0x62, group: 0x70, tombstone: 0x74, finding: 0x66, meta: 0x6d };

const VALUE_BYTES = 64;

export function shardKey(space: number, id: ShardId): Buffer {
  const key = Buffer.alloc(18);
  key.writeUInt8(space, 0);
  key.write(id.blobId, 1, 16, 'hex');
  key.writeUInt8(id.shardIndex, 17);
  return key;
}

export function shardIdOfKey(key: Buffer): ShardId {
  const at = key.byteLength - 17;
  return { blobId: key.toString('hex', at, at + 16), shardIndex: key.readUInt8(at + 16) };
}

export function groupKey(pgId: number, id: ShardId): Buffer {
  const key = Buffer.alloc(26);
  key.writeUInt8(KEY_SPACES.group, 0);
  key.writeUIntBE(pgId, 3, 6);
  key.write(id.blobId, 9, 16, 'hex');
  key.writeUInt8(id.shardIndex, 25);
  return key;
}

export function metaKey(name: string): Buffer {
  return Buffer.concat([Buffer.from([KEY_SPACES.meta]), Buffer.from(name)]);
}

/** The checksum covers the key as well: LevelDB may hand back the value of another key. */
export function encodeLocation(location: ShardLocation): Buffer {
  const { attributes } = location;
  const bytes = Buffer.alloc(VALUE_BYTES);
  bytes.writeUIntBE(location.segment, 0, 6);
  bytes.writeUIntBE(location.offsetBytes, 6, 6);
  bytes.writeUIntBE(location.sequence, 12, 6);
  bytes.writeUIntBE(attributes.pgId, 18, 6);
  bytes.writeUIntBE(attributes.blobSizeBytes, 24, 6);
  bytes.writeUIntBE(attributes.shardSizeBytes, 30, 6);
  bytes.writeUInt32BE(attributes.blockBytes, 36);
  bytes.writeUInt32BE(location.tableChecksum, 40);
  bytes.writeUInt8(attributes.profile.k, 44);
  bytes.writeUInt8(attributes.profile.m, 45);
  bytes.writeUInt8(1, 46);
  bytes.writeUInt32BE(valueChecksum(bytes, location.id), VALUE_BYTES - 4);
  return bytes;
}

/** Null when the value is not what was stored under this id. */
export function decodeLocation(id: ShardId, bytes: Buffer): ShardLocation | null {
  if (bytes.byteLength !== VALUE_BYTES || bytes.readUInt8(46) !== 1) return null;
  if (bytes.readUInt32BE(VALUE_BYTES - 4) !== valueChecksum(bytes, id)) return null;
  return {
    kind: 'shard',
    id,
    segment: bytes.readUIntBE(0, 6),
    offsetBytes: bytes.readUIntBE(6, 6),
    sequence: bytes.readUIntBE(12, 6),
    tableChecksum: bytes.readUInt32BE(40),
    attributes: {
      pgId: bytes.readUIntBE(18, 6),
      profile: { k: bytes.readUInt8(44), m: bytes.readUInt8(45) },
      blobSizeBytes: bytes.readUIntBE(24, 6),
      blockBytes: bytes.readUInt32BE(36),
      shardSizeBytes: bytes.readUIntBE(30, 6),
    },
  };
}

function valueChecksum(bytes: Buffer, id: ShardId): number {
  const key = shardKey(KEY_SPACES.shard, id);
  return crc32c(bytes.subarray(0, VALUE_BYTES - 4), crc32c(key));
}
