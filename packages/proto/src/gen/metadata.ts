import type * as grpc from '@grpc/grpc-js';
import type { MessageTypeDefinition } from '@grpc/proto-loader';

import type { Frame as _azimuth_metadata_v1_Frame, Frame__Output as _azimuth_metadata_v1_Frame__Output } from './azimuth/metadata/v1/Frame';
import type { Frames as _azimuth_metadata_v1_Frames, Frames__Output as _azimuth_metadata_v1_Frames__Output } from './azimuth/metadata/v1/Frames';
import type { MetadataClient as _azimuth_metadata_v1_MetadataClient, MetadataDefinition as _azimuth_metadata_v1_MetadataDefinition } from './azimuth/metadata/v1/Metadata';

type SubtypeConstructor<Constructor extends new (...args: any) => any, Subtype> = {
  new(...args: ConstructorParameters<Constructor>): Subtype;
};

export interface ProtoGrpcType {
  azimuth: {
    metadata: {
      v1: {
        Frame: MessageTypeDefinition<_azimuth_metadata_v1_Frame, _azimuth_metadata_v1_Frame__Output>
        Frames: MessageTypeDefinition<_azimuth_metadata_v1_Frames, _azimuth_metadata_v1_Frames__Output>
        Metadata: SubtypeConstructor<typeof grpc.Client, _azimuth_metadata_v1_MetadataClient> & { service: _azimuth_metadata_v1_MetadataDefinition }
      }
    }
  }
}

