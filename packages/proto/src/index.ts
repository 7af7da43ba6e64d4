export { OUTAGE_POLICY_CONFIGURATION } from './records/bucket-records';
export type { BucketRecord, LeaseRecord } from './records/bucket-records';
export { createdMsOfBlob, isBlobId, newBlobId, slotOfBlob, slotOfKey } from './records/blob-id';
export { decodeRecord, encodeRecord } from './records/codec';
export {
  BLOB_COMMIT_AGE_MAX_MS,
  COMMAND_RETRY_WINDOW_MS,
  COMMAND_VERSION,
  ORPHAN_AGE_MIN_MS,
} from './records/commands';
export type {
  Command,
  CommittedData,
  CommitVersionResult,
  IndexCommandName,
  IndexCommands,
  IndexQueries,
  IndexQueryName,
  ListEntry,
  ListObjectsResult,
  ListPosition,
  ListVersionEntry,
  ListVersionsResult,
  RootCommandName,
  RootCommands,
  RootQueries,
  RootQueryName,
  VersionPosition,
} from './records/commands';
export { decodeListRows, listEntryOf, ListRowWriter } from './records/list-rows';
export type { ListFields } from './records/list-rows';
export type { CensusRecord, RepairRecord, RepairReport } from './records/repair-records';
export { IDENTITY_KINDS, identityName } from './records/identity-records';
export type {
  AccessKeyRecord,
  AccountRecord,
  GroupRecord,
  IdentityChange,
  IdentityEntry,
  IdentityKind,
  IdentityRecords,
  OidcProviderRecord,
  PolicyRecord,
  RoleRecord,
  TokenKeyRecord,
  UserRecord,
} from './records/identity-records';
export type {
  GroupMembership,
  MetadataIntent,
  MetadataIntentResult,
  MetadataNodeAddress,
  MetadataNodeEntry,
} from './records/metadata-records';
export type {
  BlobOwner,
  BlobRef,
  ChecksumAlgorithm,
  ChecksumType,
  MissingShards,
  OutboxEntry,
  OutboxKind,
  PartRecord,
  StoredChecksum,
  UploadRecord,
  VersionBody,
  VersionDraft,
  VersionHead,
  VersioningState,
  VersionPart,
  WritePrecondition,
} from './records/object-records';
export type {
  BlobWitness,
  BlobWitnesses,
  ClusterMapDelta,
  ClusterMapDocument,
  DiskStatistics,
  HeartbeatResult,
  MetadataFinding,
  GroupLeader,
  MetadataStatus,
  NodeHeartbeat,
  ReplicaIntegrity,
  StateMark,
  SessionRequest,
  SessionResponse,
  WatchResult,
} from './records/session';
export {
  metadataService,
  MetadataStub,
  raftService,
  RaftStub,
  storageService,
  StorageStub,
} from './load';
export type { Frames__Output as Frames } from './gen/azimuth/metadata/v1/Frames';
export type { MetadataClient as MetadataStubClient } from './gen/azimuth/metadata/v1/Metadata';
export type { MetadataHandlers } from './gen/azimuth/metadata/v1/Metadata';
export type { Message__Output as WireMessage } from './gen/azimuth/raft/v1/Message';
export type { MessageBatch__Output as MessageBatch } from './gen/azimuth/raft/v1/MessageBatch';
export type { RaftClient as RaftStubClient } from './gen/azimuth/raft/v1/Raft';
export type { SnapshotChunk__Output as SnapshotChunk } from './gen/azimuth/raft/v1/SnapshotChunk';
export type { SnapshotResult__Output as SnapshotResult } from './gen/azimuth/raft/v1/SnapshotResult';
export type { StorageClient as StorageStubClient } from './gen/azimuth/storage/v1/Storage';
