import { required } from '@azimuth/common';
import type { StoredChecksum, VersionDraft } from '@azimuth/proto';

import { requiredAccess } from '../../auth/operation-access';
import { parseBoundary, PostFormReader } from '../../http/post-form';
import { PulledSource } from '../../http/pulled-source';
import type { S3Request } from '../../http/request';
import type { S3Response } from '../../http/response';
import { plainDocument, textElement } from '../../http/xml/xml-writer';
import { objectTarget } from '../access-target';
import type { ObjectLocation } from '../bucket-access';
import { isVersioned, requireBucket, requireWritableObject, writeTarget } from '../bucket-access';
import {
  checksumResponseHeaders,
  digestsToCompute,
  fullObjectChecksum,
  parseExpectedDigests,
  verifyDigests,
} from '../checksum-headers';
import { parseObjectAttributes, quoteEtag } from '../object-headers';
import { parseTaggingHeader } from '../object-tags';
import type { Operation, OperationContext } from '../operation';
import { invalidArgument, S3Error } from '../s3-error';
import { commitOrDiscard } from '../verified-write';
import { writeFormFile } from './form-file';
import { newObject } from './new-object';
import type { FormFields } from './post-fields';
import { headersOfForm, passRest, readFields, requireFormKey, signedPolicyOf } from './post-fields';
import type { FileSizeRange } from './post-policy';
import { checkPostPolicy, parsePostPolicy } from './post-policy';

/** Each may hold what of its file is not certain yet: about 1 MiB. */
const FORMS_IN_FLIGHT_MAX = 64;
let formsInFlight = 0;

/**
 * An upload from an HTML form. Who sends it, and what, is in the form and not in the headers of the
 * request.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/RESTObjectPOST.html
 */
export const postObject: Operation = {
  name: 'PostObject',
  body: 'stream',

  async handle(request, context) {
    // What is no form at all may well be signed as a request.
    const boundary = parseBoundary(request.headers.get('content-type'));
    if (request.principal.kind !== 'anonymous') {
      throw invalidArgument(
        'Only one auth mechanism allowed; a POST form is signed by its fields',
        'Authorization',
        '',
      );
    }
    const requestBytes = request.body.sizeBytes;
    if (requestBytes === null) throw new S3Error('MissingContentLength');
    // Before the body is asked for: most of what is sent elsewhere by mistake ends here.
    await requireBucket(request, context);
    if (formsInFlight >= FORMS_IN_FLIGHT_MAX) throw new S3Error('SlowDown');
    formsInFlight += 1;
    const source = new PulledSource(request.body.source);
    try {
      const form = new PostFormReader(source, boundary);
      const fields = await readFields(form);
      const upload = await authorizeUpload(fields, request, context);
      return await store(form, upload, { fields, requestBytes }, context);
    } finally {
      formsInFlight -= 1;
      await source.close();
    }
  },
};

interface Upload {
  /** The form as the PUT that it stands for. */
  readonly request: S3Request;
  readonly location: ObjectLocation;
  readonly range: FileSizeRange;
}

/** All that can be known before the file is: who sends what, and may they. */
async function authorizeUpload(
  fields: FormFields,
  request: S3Request,
  context: OperationContext,
): Promise<Upload> {
  const key = requireFormKey(fields);
  const headers = headersOfForm(fields, request.headers);
  const sender = request.authenticateForm({ signed: signedPolicyOf(fields), headers });
  const range = checkPolicy(fields, request, context);
  const put: S3Request = { ...request, ...sender, key, headers, query: new Map() };
  const location = await requireWritableObject(put, context);
  const target = { ...objectTarget(location, null), isNew: true };
  for (const { action, conditions } of requiredAccess('PutObject', put)) {
    await sender.access.require(action, target, conditions);
  }
  return { request: put, location, range };
}

/** Without a policy the file is as large as any may be. */
function checkPolicy(
  fields: FormFields,
  request: S3Request,
  { clock }: OperationContext,
): FileSizeRange {
  const bucket = required(request.bucket, 'bucket name');
  const named = fields.get('bucket');
  if (named !== undefined && named !== bucket) {
    throw invalidArgument('The bucket field names another bucket', 'bucket', named);
  }
  const policy = fields.get('policy');
  if (policy === undefined) return { minBytes: 0, maxBytes: Number.MAX_SAFE_INTEGER };
  // A bucket is always there, so a policy that does not speak of it allows no upload.
  return checkPostPolicy(
    parsePostPolicy(policy),
    new Map([...fields, ['bucket', bucket]]),
    clock.wallMs(),
  );
}

interface Form {
  readonly fields: FormFields;
  readonly requestBytes: number;
}

async function store(
  form: PostFormReader,
  { request, location, range }: Upload,
  { fields, requestBytes }: Form,
  context: OperationContext,
): Promise<S3Response> {
  const { headers, signal } = request;
  const { bucket, key } = location;
  const given = { attributes: parseObjectAttributes(headers), tags: parseTaggingHeader(headers) };
  const expected = parseExpectedDigests(request);
  const algorithm = expected.checksum?.algorithm;
  const object = newObject(request, location, given, context);

  const digests = digestsToCompute(algorithm);
  const target = writeTarget(location, object);
  const options = { requestBytes, range, target, digests, signal };
  const file = await writeFormFile(form, options, context);
  try {
    await passRest(form);
    verifyDigests(expected, file.digests, new Map());
  } catch (error) {
    context.dataPath.discard(file.data.blobs);
    throw error;
  }
  const etag = required(file.digests.get('MD5'), 'MD5 digest').toString('hex');
  const checksum = fullObjectChecksum(algorithm, file.digests);
  const draft: VersionDraft = { key, sizeBytes: file.sizeBytes, etag, checksum, ...object };
  const { versionId } = await commitOrDiscard(file.data, context, () =>
    context.metadata.index(
      location.group,
      'CommitVersion',
      {
        ...location.address,
        versioning: bucket.versioning,
        draft,
        data: file.data,
        precondition: null,
      },
      { signal },
    ),
  );
  return answer({ fields, request, location, etag, checksum, versionId });
}

interface Posted {
  readonly fields: FormFields;
  readonly request: S3Request;
  readonly location: ObjectLocation;
  readonly etag: string;
  readonly checksum: StoredChecksum | null;
  readonly versionId: string;
}

function answer({ fields, request, location, ...posted }: Posted): S3Response {
  const { bucket, key } = location;
  const etag = quoteEtag(posted.etag);
  const url = `${request.origin}/${bucket.name}/${key.split('/').map(encodeURIComponent).join('/')}`;
  const headers: Record<string, string> = {
    etag,
    location: url,
    ...checksumResponseHeaders(posted.checksum),
    ...(isVersioned(bucket) ? { 'x-amz-version-id': posted.versionId } : {}),
  };
  const redirect = redirectOf(fields, { bucket: bucket.name, key, etag });
  if (redirect !== null) return { status: 303, headers: { ...headers, location: redirect } };
  switch (fields.get('success_action_status')) {
    case '200':
      return { status: 200, headers };
    case '201': {
      const document = plainDocument('PostResponse', [
        textElement('Location', url),
        textElement('Bucket', bucket.name),
        textElement('Key', key),
        textElement('ETag', etag),
      ]);
      return { status: 201, headers, body: { kind: 'xml', document } };
    }
    default:
      return { status: 204, headers };
  }
}

/** Where the browser goes next; null when the field is absent or no address, as AWS has it. */
function redirectOf(
  fields: FormFields,
  result: Readonly<Record<'bucket' | 'key' | 'etag', string>>,
): string | null {
  const field = fields.get('success_action_redirect') ?? fields.get('redirect') ?? '';
  if (!/^https?:\/\//i.test(field) || !URL.canParse(field)) return null;
  const address = new URL(field);
  for (const [name, value] of Object.entries(result)) address.searchParams.append(name, value);
  return address.href;
}
