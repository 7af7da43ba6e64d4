import { S3Error } from '../../s3/s3-error';

/** A policy that cannot be: `MalformedPolicy` of S3, `MalformedPolicyDocument` of IAM and STS. */
export function malformedPolicy(message: string): S3Error {
  return new S3Error('MalformedPolicy', {}, { message });
}
