// Original file: proto/azimuth/storage/v1/storage.proto


export interface GetHealthRequest {
}

export interface GetHealthRequest__Output {
}
