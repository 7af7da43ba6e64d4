import { Buffer } from 'node:buffer';

import type { SignedPolicy, SignedPolicyV2 } from '../../auth/signed-policy';
import type { PostFormReader } from '../../http/post-form';
import { FORM_BYTES_MAX } from '../../http/post-form';
import type { Headers } from '../../http/request';
import { HEADER_SECTION_BYTES_MAX } from '../../http/request-head';
import { checkKeyLength } from '../bucket-access';
import { parseTaggingDocument, TAGGING_HEADER } from '../object-tags';
import { invalidArgument, S3Error } from '../s3-error';

/** Fields by lower-case name. */
export type FormFields = ReadonlyMap<string, string>;

const FILENAME_VARIABLE = '${filename}';

/**
 * Reads the fields in front of the file, which is where the reader stands afterwards; what comes
 * behind the file does not count (G-12). `${filename}` is replaced.
 *
 * @throws S3Error InvalidArgument for a form without a file or with a field given twice,
 *   MalformedPOSTRequest, MaxPostPreDataLengthExceededError, also for what that makes of it.
 */
export async function readFields(form: PostFormReader): Promise<FormFields> {
  const fields = new Map<string, string>();
  for (;;) {
    const part = await form.nextPart();
    if (part === null) throw wrongFileCount(0);
    const name = part.name.toLowerCase();
    if (name === 'file') return expanded(fields, part.filename ?? '');
    // Two values of one name would let the policy see one and the object the other.
    if (fields.has(name)) throw invalidArgument('This field may be given only once', name, '');
    fields.set(name, await form.readText());
  }
}

/** Passes over what follows the file. @throws S3Error InvalidArgument for another file. */
export async function passRest(form: PostFormReader): Promise<void> {
  for (;;) {
    const part = await form.nextPart();
    if (part === null) return;
    if (part.name.toLowerCase() === 'file') throw wrongFileCount(2);
  }
}

function wrongFileCount(count: number): S3Error {
  const message = 'POST requires exactly one file upload per request.';
  return invalidArgument(message, 'file', String(count));
}

/**
 * Of a path, as some browsers send it, only the last part is the name.
 *
 * @throws S3Error MaxPostPreDataLengthExceededError: a long name in the place of many variables
 *   makes more of a small form than memory holds.
 */
function expanded(fields: FormFields, path: string): FormFields {
  const filename = path.slice(Math.max(path.lastIndexOf('/'), path.lastIndexOf('\\')) + 1);
  const result = new Map<string, string>();
  let length = 0;
  for (const [name, value] of fields) {
    const pieces = name === 'policy' ? [value] : value.split(FILENAME_VARIABLE);
    length += value.length + (pieces.length - 1) * filename.length;
    if (length > FORM_BYTES_MAX) {
      throw new S3Error('MaxPostPreDataLengthExceededError', {
        MaxPostPreDataLength: FORM_BYTES_MAX,
      });
    }
    result.set(name, pieces.join(filename));
  }
  return result;
}

/** @throws S3Error InvalidArgument when there is no `key`, KeyTooLongError. */
export function requireFormKey(fields: FormFields): string {
  const key = requireField(fields, 'key');
  if (key === '') {
    throw invalidArgument('User key must have a length greater than 0.', 'key', '');
  }
  checkKeyLength(key);
  return key;
}

function requireField(fields: FormFields, name: string): string {
  const value = fields.get(name.toLowerCase());
  if (value !== undefined) return value;
  throw invalidArgument(
    `Bucket POST must contain a field named '${name}'.  If it is specified, please check the ` +
      'order of the fields.',
    name,
    '',
  );
}

const SIGNING_FIELDS = [
  'policy',
  'x-amz-algorithm',
  'x-amz-credential',
  'x-amz-date',
  'x-amz-signature',
] as const;

/**
 * How the form is signed; null for an anonymous one, which has none of these fields.
 *
 * @throws S3Error InvalidArgument when some are missing.
 */
export function signedPolicyOf(fields: FormFields): SignedPolicy | SignedPolicyV2 | null {
  const sessionToken = fields.get('x-amz-security-token') ?? null;
  if (fields.has('awsaccesskeyid') || fields.has('signature')) {
    return {
      policy: requireField(fields, 'policy'),
      accessKeyId: requireField(fields, 'AWSAccessKeyId'),
      signature: requireField(fields, 'signature'),
      sessionToken,
    };
  }
  if (!SIGNING_FIELDS.some((name) => fields.has(name))) return null;
  return {
    policy: requireField(fields, 'policy'),
    algorithm: requireField(fields, 'X-Amz-Algorithm'),
    credential: requireField(fields, 'X-Amz-Credential'),
    timestamp: requireField(fields, 'X-Amz-Date'),
    signatureHex: requireField(fields, 'X-Amz-Signature'),
    sessionToken,
  };
}

const HEADER_FIELDS: ReadonlySet<string> = new Set([
  'cache-control',
  'content-disposition',
  'content-encoding',
  'content-language',
  'content-type',
  'expires',
  'content-md5',
]);
const NO_HEADER_FIELDS: ReadonlySet<string> = new Set([
  ...SIGNING_FIELDS,
  'x-amz-security-token',
  TAGGING_HEADER,
]);

/**
 * The headers that a PUT of the same object would have. Texts become one byte a character, as
 * headers come.
 *
 * @throws S3Error what parsing the `tagging` document throws, InvalidArgument for a line end,
 *   RequestHeaderSectionTooLarge.
 */
export function headersOfForm(fields: FormFields, request: Headers): Headers {
  const headers = new Map<string, string>();
  let sizeBytes = 0;
  const expectedOwner = request.get('x-amz-expected-bucket-owner');
  if (expectedOwner !== undefined) headers.set('x-amz-expected-bucket-owner', expectedOwner);
  for (const [name, value] of fields) {
    if (!HEADER_FIELDS.has(name) && (!name.startsWith('x-amz-') || NO_HEADER_FIELDS.has(name))) {
      continue;
    }
    if (
      !/^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(name) ||
      /[\u0000-\u0008\u000a-\u001f\u007f]/.test(value)
    ) {
      throw invalidArgument('This field cannot be a header', name, value);
    }
    const text = Buffer.from(value.trim(), 'utf8').toString('latin1');
    sizeBytes += name.length + text.length;
    headers.set(name, text);
  }
  if (sizeBytes > HEADER_SECTION_BYTES_MAX) {
    throw new S3Error('RequestHeaderSectionTooLarge', {
      MaxSizeAllowed: HEADER_SECTION_BYTES_MAX,
    });
  }
  const acl = fields.get('acl');
  if (acl !== undefined) headers.set('x-amz-acl', acl);
  const tagging = fields.get('tagging');
  if (tagging !== undefined && tagging !== '') {
    const tags = parseTaggingDocument(Buffer.from(tagging, 'utf8'));
    headers.set(TAGGING_HEADER, new URLSearchParams(tags).toString());
  }
  return headers;
}
