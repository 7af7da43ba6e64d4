import { join } from 'node:path';

import { loadPackageDefinition } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';

import type { ProtoGrpcType as MetadataTypes } from './gen/metadata';
import type { ProtoGrpcType as RaftTypes } from './gen/raft';
import type { ProtoGrpcType as StorageTypes } from './gen/storage';

/** `src/` and `dist/` lie equally deep, so this holds for both. */
const PROTO_DIRECTORY = join(__dirname, '..', '..', '..', 'proto');

function load(file: string): unknown {
  const definition = loadSync(file, {
    includeDirs: [PROTO_DIRECTORY],
    keepCase: false,
    longs: Number,
    enums: String,
    defaults: true,
  });
  return loadPackageDefinition(definition);
}

const metadata = (load('azimuth/metadata/v1/metadata.proto') as MetadataTypes).azimuth.metadata.v1;
const raft = (load('azimuth/raft/v1/raft.proto') as RaftTypes).azimuth.raft.v1;
const storage = (load('azimuth/storage/v1/storage.proto') as StorageTypes).azimuth.storage.v1;

/** Client constructors and service definitions of `proto/`, typed by the generated types. */
export const MetadataStub = metadata.Metadata;
export const metadataService = metadata.Metadata.service;
export const RaftStub = raft.Raft;
export const raftService = raft.Raft.service;
export const StorageStub = storage.Storage;
export const storageService = storage.Storage.service;
