import { required } from '@azimuth/common';
import type { UploadRecord } from '@azimuth/proto';

import type { S3Request } from '../../http/request';
import type { ObjectLocation } from '../bucket-access';
import type { OperationContext } from '../operation';
import { S3Error } from '../s3-error';

/** 6 bytes of time, so that ids of one key ascend as they were initiated (M-9), and 16 random. */
const TIME_BYTES = 6;
const RANDOM_BYTES = 16;

export function newUploadId({ clock, random }: OperationContext): string {
  const time = Buffer.alloc(TIME_BYTES);
  time.writeUIntBE(Math.floor(clock.wallMs()), 0, TIME_BYTES);
  return Buffer.concat([time, random.bytes(RANDOM_BYTES)]).toString('hex');
}

/** The `uploadId` query parameter; the router made sure that there is one. */
export function uploadIdOf(request: S3Request): string {
  return required(request.query.get('uploadId'), 'uploadId');
}

/** @throws S3Error NoSuchUpload. */
export async function requireUpload(
  location: ObjectLocation,
  request: S3Request,
  context: OperationContext,
): Promise<UploadRecord> {
  const uploadId = uploadIdOf(request);
  const upload = await context.metadata.queryIndex(
    location.group,
    'GetUpload',
    { ...location.address, uploadId },
    { signal: request.signal },
  );
  if (upload === null) throw noSuchUpload(uploadId);
  return upload;
}

export function noSuchUpload(uploadId: string): S3Error {
  return new S3Error('NoSuchUpload', { UploadId: uploadId });
}
