// Original file: proto/azimuth/storage/v1/storage.proto


export interface FailedSource {
  'shardIndex'?: (number);
  'code'?: (string);
}

export interface FailedSource__Output {
  'shardIndex': (number);
  'code': (string);
}
