// Original file: proto/azimuth/storage/v1/storage.proto

export const ShardVerdict = {
  SHARD_VERDICT_UNSPECIFIED: 'SHARD_VERDICT_UNSPECIFIED',
  INTACT: 'INTACT',
  ABSENT: 'ABSENT',
  CORRUPT: 'CORRUPT',
} as const;

export type ShardVerdict =
  | 'SHARD_VERDICT_UNSPECIFIED'
  | 0
  | 'INTACT'
  | 1
  | 'ABSENT'
  | 2
  | 'CORRUPT'
  | 3

export type ShardVerdict__Output = typeof ShardVerdict[keyof typeof ShardVerdict]
