import type { StoredChecksum, VersionBody, VersionHead } from '@azimuth/proto';
import { required } from '@azimuth/common';

import type { Headers, Query } from '../../http/request';
import { checksumResponseHeaders, isChecksumWanted } from '../checksum-headers';
import { isRangeFresh } from '../precondition';
import { parsePartNumber } from '../part-number';
import type { ByteRange } from '../range';
import { contentRange, decideRange } from '../range';
import { invalidRequest, S3Error } from '../s3-error';

/** Which bytes of an object a GET or HEAD is about. */
export interface ObjectSelection {
  readonly status: 200 | 206;
  readonly range: ByteRange;
  /** content-length, content-range, parts count and checksum. */
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * Reads Range or `partNumber` against a version. `body` is needed for `partNumber` of a multipart
 * object only.
 *
 * @throws S3Error InvalidRange, InvalidPartNumber (M-12), InvalidRequest for both at once.
 */
export function selectBytes(
  request: { readonly headers: Headers; readonly query: Query },
  head: VersionHead,
  body: VersionBody | null,
): ObjectSelection {
  const { headers } = request;
  const partNumber = parsePartNumber(request.query);
  const isWanted = isChecksumWanted(headers);
  if (partNumber !== null) {
    if (headers.has('range')) {
      throw invalidRequest('Cannot specify both Range header and partNumber query parameter');
    }
    return selectPart(partNumber, head, body, isWanted);
  }

  const { sizeBytes } = head;
  const rangeHeader = isRangeFresh(headers.get('if-range'), head)
    ? headers.get('range')
    : undefined;
  const decision = decideRange(rangeHeader, sizeBytes);
  switch (decision.kind) {
    case 'unsatisfiable':
      throw new S3Error(
        'InvalidRange',
        { RangeRequested: rangeHeader ?? '', ActualObjectSize: sizeBytes },
        { headers: { 'content-range': `bytes */${sizeBytes}` } },
      );
    case 'whole':
      return {
        status: 200,
        range: { from: 0, to: sizeBytes },
        headers: {
          'content-length': String(sizeBytes),
          ...(isWanted ? checksumResponseHeaders(head.checksum) : {}),
        },
      };
    case 'partial': {
      // A range that happens to be everything may still be checked by the checksum (KC-7).
      const isWhole = decision.range.to - decision.range.from === sizeBytes;
      return partial(decision.range, sizeBytes, isWanted && isWhole ? head.checksum : null);
    }
  }
}

function partial(
  range: ByteRange,
  sizeBytes: number,
  checksum: StoredChecksum | null,
): ObjectSelection {
  return {
    status: 206,
    range,
    headers: {
      'content-length': String(range.to - range.from),
      'content-range': contentRange(range, sizeBytes),
      ...checksumResponseHeaders(checksum),
    },
  };
}

function selectPart(
  partNumber: number,
  head: VersionHead,
  body: VersionBody | null,
  isChecksumWanted: boolean,
): ObjectSelection {
  if (head.partsCount === 0) {
    if (partNumber !== 1) throw invalidPartNumber(partNumber, 1);
    return partOf({ from: 0, to: head.sizeBytes }, head, isChecksumWanted ? head.checksum : null);
  }

  const parts = required(body?.parts, 'parts of a multipart object');
  let from = 0;
  for (const part of parts) {
    if (part.partNumber === partNumber) {
      const range = { from, to: from + part.sizeBytes };
      const selection = partOf(range, head, isChecksumWanted ? partChecksum(head, part) : null);
      const headers = { ...selection.headers, 'x-amz-mp-parts-count': String(head.partsCount) };
      return { ...selection, headers };
    }
    from += part.sizeBytes;
  }
  throw invalidPartNumber(partNumber, parts.length);
}

/** 206 as AWS answers it; a part without bytes has no range to state. */
function partOf(
  range: ByteRange,
  head: VersionHead,
  checksum: StoredChecksum | null,
): ObjectSelection {
  if (range.from < range.to) return partial(range, head.sizeBytes, checksum);
  return {
    status: 200,
    range,
    headers: { 'content-length': '0', ...checksumResponseHeaders(checksum) },
  };
}

/** A part's own checksum; its type says how the object's checksum was made of the parts'. */
function partChecksum(
  head: VersionHead,
  part: { readonly checksum: string | null },
): StoredChecksum | null {
  if (part.checksum === null || head.checksum === null) return null;
  return { ...head.checksum, value: part.checksum };
}

function invalidPartNumber(requested: number, count: number): S3Error {
  return new S3Error('InvalidPartNumber', {
    PartNumberRequested: requested,
    ActualPartCount: count,
  });
}
