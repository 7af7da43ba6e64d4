// Original file: proto/azimuth/storage/v1/storage.proto


export interface ListFindingsRequest {
  'diskId'?: (string);
  'limit'?: (number);
}

export interface ListFindingsRequest__Output {
  'diskId': (string);
  'limit': (number);
}
