// Original file: proto/azimuth/metadata/v1/metadata.proto

import type { Frame as _azimuth_metadata_v1_Frame, Frame__Output as _azimuth_metadata_v1_Frame__Output } from '../../../azimuth/metadata/v1/Frame';

export interface Frames {
  'frames'?: (_azimuth_metadata_v1_Frame)[];
}

export interface Frames__Output {
  'frames': (_azimuth_metadata_v1_Frame__Output)[];
}
