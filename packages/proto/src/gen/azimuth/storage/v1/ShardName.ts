// Original file: proto/azimuth/storage/v1/storage.proto


export interface ShardName {
  'blobId'?: (string);
  'shardIndex'?: (number);
}

export interface ShardName__Output {
  'blobId': (string);
  'shardIndex': (number);
}
