// Original file: proto/azimuth/storage/v1/storage.proto


export interface RebuildSource {
  'shardIndex'?: (number);
  'diskId'?: (string);
  'nodeId'?: (string);
  'zone'?: (string);
  'incarnation'?: (string);
  'host'?: (string);
  'bulkPort'?: (number);
  'rpcPort'?: (number);
}

export interface RebuildSource__Output {
  'shardIndex': (number);
  'diskId': (string);
  'nodeId': (string);
  'zone': (string);
  'incarnation': (string);
  'host': (string);
  'bulkPort': (number);
  'rpcPort': (number);
}
