export type { BucketRecord, LeaseRecord } from './records/bucket-records';
export {
  createdMsOfBlob,
  isBlobId,
  newBlobId,
  slotOfBlob,
  slotOfKey,
} from './records/blob-id';
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
  RootCommandName,
  RootCommands,
  RootQueries,
  RootQueryName,
} from './records/commands';
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
  ClusterMapDelta,
  ClusterMapDocument,
  DiskStatistics,
  HeartbeatResult,
  MetadataStatus,
  NodeHeartbeat,
  SessionRequest,
  SessionResponse,
  WatchResult,
} from './records/session';
