// Original file: proto/azimuth/metadata/v1/metadata.proto

import type * as grpc from '@grpc/grpc-js'
import type { MethodDefinition } from '@grpc/proto-loader'
import type { Frames as _azimuth_metadata_v1_Frames, Frames__Output as _azimuth_metadata_v1_Frames__Output } from '../../../azimuth/metadata/v1/Frames';

export interface MetadataClient extends grpc.Client {
  Session(metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientDuplexStream<_azimuth_metadata_v1_Frames, _azimuth_metadata_v1_Frames__Output>;
  Session(options?: grpc.CallOptions): grpc.ClientDuplexStream<_azimuth_metadata_v1_Frames, _azimuth_metadata_v1_Frames__Output>;
  session(metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientDuplexStream<_azimuth_metadata_v1_Frames, _azimuth_metadata_v1_Frames__Output>;
  session(options?: grpc.CallOptions): grpc.ClientDuplexStream<_azimuth_metadata_v1_Frames, _azimuth_metadata_v1_Frames__Output>;
  
}

export interface MetadataHandlers extends grpc.UntypedServiceImplementation {
  Session: grpc.handleBidiStreamingCall<_azimuth_metadata_v1_Frames__Output, _azimuth_metadata_v1_Frames>;
  
}

export interface MetadataDefinition extends grpc.ServiceDefinition {
  Session: MethodDefinition<_azimuth_metadata_v1_Frames, _azimuth_metadata_v1_Frames, _azimuth_metadata_v1_Frames__Output, _azimuth_metadata_v1_Frames__Output>
}
