import { hasCode } from '@azimuth/common';

import { requireWritableObject } from '../bucket-access';
import type { Operation } from '../operation';
import { refuseConditions } from '../precondition';
import { noSuchUpload, uploadIdOf } from './upload-id';

/** @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_AbortMultipartUpload.html */
export const abortMultipartUpload: Operation = {
  name: 'AbortMultipartUpload',
  body: 'none',

  async handle(request, context) {
    const uploadId = uploadIdOf(request);
    refuseConditions(request.headers);
    const location = await requireWritableObject(request, context);
    try {
      const upload = { ...location.address, uploadId };
      await context.metadata.index(location.group, 'AbortUpload', upload, {
        signal: request.signal,
      });
    } catch (error) {
      if (hasCode(error, 'UPLOAD_NOT_FOUND')) throw noSuchUpload(uploadId);
      throw error;
    }
    return { status: 204 };
  },
};
