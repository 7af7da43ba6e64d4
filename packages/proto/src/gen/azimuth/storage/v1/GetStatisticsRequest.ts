// Original file: proto/azimuth/storage/v1/storage.proto


export interface GetStatisticsRequest {
}

export interface GetStatisticsRequest__Output {
}
