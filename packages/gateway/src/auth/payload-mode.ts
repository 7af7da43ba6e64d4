import { S3Error } from '../s3/s3-error';
import { isLowerHex } from './sigv4';

/** How the bytes of a body are protected, as `x-amz-content-sha256` says. */
export type PayloadMode =
  | { readonly kind: 'unsigned' }
  /** The signature covers this SHA-256 of the whole body. */
  | { readonly kind: 'hashed'; readonly sha256Hex: string }
  /** aws-chunked; each chunk signed or none, checksums in trailing headers or not. */
  | { readonly kind: 'chunked'; readonly isSigned: boolean; readonly hasTrailer: boolean };

const MODES: ReadonlyMap<string, PayloadMode> = new Map<string, PayloadMode>([
  ['UNSIGNED-PAYLOAD', { kind: 'unsigned' }],
  ['STREAMING-UNSIGNED-PAYLOAD-TRAILER', { kind: 'chunked', isSigned: false, hasTrailer: true }],
  ['STREAMING-AWS4-HMAC-SHA256-PAYLOAD', { kind: 'chunked', isSigned: true, hasTrailer: false }],
  [
    'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER',
    { kind: 'chunked', isSigned: true, hasTrailer: true },
  ],
]);

const SHA256_HEX_LENGTH = 64;

/**
 * The one place that decides which body modes exist. Everything not in the table is refused, the
 * ECDSA modes too: a mode that nobody verifies is how other stores were broken into.
 *
 * @throws S3Error InvalidArgument
 */
export function parsePayloadMode(value: string): PayloadMode {
  const mode = MODES.get(value);
  if (mode !== undefined) return mode;
  if (value.length === SHA256_HEX_LENGTH && isLowerHex(value)) {
    return { kind: 'hashed', sha256Hex: value };
  }
  throw new S3Error(
    'InvalidArgument',
    { ArgumentName: 'x-amz-content-sha256', ArgumentValue: value },
    {
      message: `x-amz-content-sha256 must be ${[...MODES.keys()].join(', ')}, or a valid sha256 value.`,
    },
  );
}
