// Original file: proto/azimuth/storage/v1/storage.proto


export interface IssueSessionRequest {
}

export interface IssueSessionRequest__Output {
}
