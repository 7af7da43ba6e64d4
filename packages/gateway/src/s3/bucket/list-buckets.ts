import { required } from '@azimuth/common';
import type { BucketRecord } from '@azimuth/proto';

import type { Query, S3Request } from '../../http/request';
import { element, optionalElement, textElement, xmlDocument } from '../../http/xml/xml-writer';
import { isoDate } from '../http-date';
import { decodeToken, encodeToken } from '../listing';
import type { Operation, OperationContext } from '../operation';
import { accountElement } from '../owner-element';
import { invalidArgument } from '../s3-error';

const BUCKETS_MAX = 10_000;
/** Records asked from the root group at once. */
const PAGE_LENGTH = 1000;

interface BucketPage {
  readonly buckets: readonly BucketRecord[];
  readonly isTruncated: boolean;
}

/** @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListBuckets.html */
export const listBuckets: Operation = {
  name: 'ListBuckets',
  body: 'none',

  async handle(request, context) {
    const { query, principal } = request;
    const limit = parseBucketsMax(query);
    const token = query.get('continuation-token') ?? '';
    const after = token === '' ? null : decodeToken(token).key;
    const prefix = query.get('prefix') ?? '';
    const region = query.get('bucket-region') ?? '';

    const page: BucketPage =
      region === '' || region === context.region
        ? await ownBuckets({ after, prefix, limit }, request, context)
        : { buckets: [], isTruncated: false };
    const document = xmlDocument('ListAllMyBucketsResult', [
      accountElement('Owner', principal.canonicalId, context.accounts),
      element(
        'Buckets',
        page.buckets.map((bucket) =>
          element('Bucket', [
            textElement('Name', bucket.name),
            textElement('CreationDate', isoDate(bucket.createdMs)),
            textElement('BucketRegion', context.region),
          ]),
        ),
      ),
      page.isTruncated ? textElement('ContinuationToken', tokenAfter(page)) : null,
      optionalElement('Prefix', query.get('prefix') ?? null),
    ]);
    return { status: 200, body: { kind: 'xml', document } };
  },
};

function parseBucketsMax(query: Query): number {
  const text = query.get('max-buckets');
  if (text === undefined) return BUCKETS_MAX;
  const count = /^[0-9]+$/.test(text) ? Number(text) : 0;
  if (count < 1 || count > BUCKETS_MAX) {
    throw invalidArgument(
      `Argument max-buckets must be an integer between 1 and ${BUCKETS_MAX}`,
      'max-buckets',
      text,
    );
  }
  return count;
}

/** Buckets of the caller's account, from as many pages of all buckets as it takes. */
async function ownBuckets(
  start: { readonly after: string | null; readonly prefix: string; readonly limit: number },
  request: S3Request,
  context: OperationContext,
): Promise<BucketPage> {
  const { prefix, limit } = start;
  const own: BucketRecord[] = [];
  let after = start.after;
  // One more than asked for shows whether anything is left.
  while (own.length <= limit) {
    const args = { after, prefix, limit: PAGE_LENGTH };
    const page = await context.metadata.queryRoot('ListBuckets', args, { signal: request.signal });
    for (const bucket of page.buckets) {
      if (bucket.owner === request.principal.canonicalId) own.push(bucket);
      after = bucket.name;
    }
    if (!page.isTruncated) break;
  }
  return { buckets: own.slice(0, limit), isTruncated: own.length > limit };
}

function tokenAfter(page: BucketPage): string {
  const last = required(page.buckets.at(-1), 'last bucket of a truncated page');
  return encodeToken({ key: last.name, isPrefix: false });
}
