export { Arena } from './arena';
export { createCodec, VECTOR_BYTES } from './codec';
export type { Codec, ReconstructionTarget } from './codec';
export { coefficientsOf } from './combination-cache';
export { SHARDS_MAX } from './encoding-matrix';
export type { ErasureProfile } from './encoding-matrix';
export { encodeShards, reconstructShards } from './shard-codec';
