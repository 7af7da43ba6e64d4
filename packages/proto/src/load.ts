import { join } from 'node:path';

import { loadPackageDefinition } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import type { MethodDefinition, PackageDefinition, ServiceDefinition } from '@grpc/proto-loader';

import type { ProtoGrpcType as MetadataTypes } from './gen/metadata';
import type { ProtoGrpcType as RaftTypes } from './gen/raft';
import type { ProtoGrpcType as StorageTypes } from './gen/storage';
import { decodeFrames, encodeFrames } from './wire/frames-codec';
import { decodeMessageBatch, encodeMessageBatch } from './wire/message-batch-codec';

/** `src/` and `dist/` lie equally deep, so this holds for both. */
const PROTO_DIRECTORY = join(__dirname, '..', '..', '..', 'proto');

/** The definitions of a file, with the library's own codecs. */
export function loadDefinition(file: string): PackageDefinition {
  return loadSync(file, {
    includeDirs: [PROTO_DIRECTORY],
    keepCase: false,
    longs: Number,
    enums: String,
    defaults: true,
  });
}

/** The definitions with the codecs of some methods replaced. */
function withCodecs(
  definition: PackageDefinition,
  service: string,
  codecs: Readonly<Record<string, Partial<MethodDefinition<object, object>>>>,
): PackageDefinition {
  const methods: ServiceDefinition = {};
  for (const [name, method] of Object.entries(definition[service] as ServiceDefinition)) {
    methods[name] = { ...method, ...codecs[name] };
  }
  return { ...definition, [service]: methods };
}

const metadata = (
  loadPackageDefinition(
    withCodecs(
      loadDefinition('azimuth/metadata/v1/metadata.proto'),
      'azimuth.metadata.v1.Metadata',
      {
        Session: {
          requestSerialize: encodeFrames as (frames: object) => Buffer,
          requestDeserialize: decodeFrames,
          responseSerialize: encodeFrames as (frames: object) => Buffer,
          responseDeserialize: decodeFrames,
        },
      },
    ),
  ) as unknown as MetadataTypes
).azimuth.metadata.v1;
const raft = (
  loadPackageDefinition(
    withCodecs(loadDefinition('azimuth/raft/v1/raft.proto'), 'azimuth.raft.v1.Raft', {
      Messages: {
        requestSerialize: encodeMessageBatch as (batch: object) => Buffer,
        requestDeserialize: decodeMessageBatch,
      },
    }),
  ) as unknown as RaftTypes
).azimuth.raft.v1;
const storage = (
  loadPackageDefinition(
    loadDefinition('azimuth/storage/v1/storage.proto'),
  ) as unknown as StorageTypes
).azimuth.storage.v1;

/** Client constructors and service definitions of `proto/`, typed by the generated types. */
export const MetadataStub = metadata.Metadata;
export const metadataService = metadata.Metadata.service;
export const RaftStub = raft.Raft;
export const raftService = raft.Raft.service;
export const StorageStub = storage.Storage;
export const storageService = storage.Storage.service;
