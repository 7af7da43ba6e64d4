export { MemoryMetadataClient } from './memory-metadata-client';
export type { MemoryMetadataOptions } from './memory-metadata-client';
