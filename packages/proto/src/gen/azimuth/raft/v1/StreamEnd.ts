// Original file: proto/azimuth/raft/v1/raft.proto


export interface StreamEnd {
}

export interface StreamEnd__Output {
}
