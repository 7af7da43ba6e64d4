import type { S3ErrorCode } from '../../src/s3/s3-error';

/** What a test expects to be thrown. */
export function refusal(code: S3ErrorCode, more: Readonly<Record<string, unknown>> = {}): Error {
  return expect.objectContaining({ code, ...more }) as Error;
}
