import type { ChecksumAlgorithm } from '@azimuth/proto';

import type { XmlElement } from '../../http/xml/xml-element';
import {
  childrenOf,
  childText,
  malformedXml,
  parseXml,
  requireRoot,
} from '../../http/xml/xml-element';
import { CHECKSUM_ALGORITHMS, checksumElement, isChecksumText } from '../checksum-headers';
import { parseEntityTags } from '../precondition';
import { PART_NUMBER_MAX } from '../part-number';
import { invalidArgument, S3Error } from '../s3-error';

/** 10,000 parts with the longest checksum that there is. */
export const COMPLETION_BYTES_MAX = 3 * 1024 ** 2;

/** A part as the client names it. */
export interface NamedPart {
  readonly partNumber: number;
  /** Without quotes. */
  readonly etag: string;
  readonly checksum: NamedChecksum | null;
}

/** The value is base64 of the right length. */
export interface NamedChecksum {
  readonly algorithm: ChecksumAlgorithm;
  readonly value: string;
}

const PART_CHILDREN = ['PartNumber', 'ETag', ...CHECKSUM_ALGORITHMS.map(checksumElement)];

/**
 * Reads `<CompleteMultipartUpload>`: at least one part, strictly ascending (M-3).
 *
 * @throws S3Error MalformedXML, InvalidArgument, InvalidPartOrder.
 */
export function parseCompletion(document: Uint8Array): readonly NamedPart[] {
  const root = requireRoot(parseXml(document), 'CompleteMultipartUpload');
  const parts = childrenOf(root, ['Part']).map(parsePart);
  if (parts.length === 0 || parts.length > PART_NUMBER_MAX) throw malformedXml();
  let previous = 0;
  for (const { partNumber } of parts) {
    if (partNumber <= previous) throw new S3Error('InvalidPartOrder');
    previous = partNumber;
  }
  return parts;
}

function parsePart(part: XmlElement): NamedPart {
  childrenOf(part, PART_CHILDREN);
  const etag = childText(part, 'ETag')?.trim();
  if (etag === undefined) throw malformedXml();
  return {
    partNumber: parseNumber(childText(part, 'PartNumber')),
    etag: parseEntityTags(etag)?.[0]?.value ?? '',
    checksum: parseChecksum(part),
  };
}

/** An empty element is none: some libraries write out every member. */
function parseChecksum(part: XmlElement): NamedChecksum | null {
  const named: NamedChecksum[] = [];
  for (const algorithm of CHECKSUM_ALGORITHMS) {
    const value = childText(part, checksumElement(algorithm))?.trim() ?? '';
    if (value !== '') named.push({ algorithm, value });
  }
  const [checksum] = named;
  if (checksum === undefined) return null;
  if (named.length > 1 || !isChecksumText(checksum.algorithm, checksum.value)) {
    throw invalidArgument(
      'Invalid Base64 or multiple checksums present in request',
      'Checksum',
      checksum.value,
    );
  }
  return checksum;
}

function parseNumber(text: string | null): number {
  const trimmed = text?.trim() ?? '';
  if (!/^-?[0-9]{1,9}$/.test(trimmed)) throw malformedXml();
  const partNumber = Number(trimmed);
  if (partNumber < 1) {
    throw invalidArgument('PartNumber must be >= 1', 'PartNumber', trimmed);
  }
  return partNumber;
}
