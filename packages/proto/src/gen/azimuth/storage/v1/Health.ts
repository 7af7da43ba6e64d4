// Original file: proto/azimuth/storage/v1/storage.proto


export interface Health {
  'isServing'?: (boolean);
  'incarnation'?: (string);
}

export interface Health__Output {
  'isServing': (boolean);
  'incarnation': (string);
}
