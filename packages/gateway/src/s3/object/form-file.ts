import { assert } from '@azimuth/common';
import type { CommittedData } from '@azimuth/proto';

import type { ByteSink, ByteSource } from '../../data-path/byte-source';
import { BodyDigests } from '../../data-path/checksum';
import type { DigestAlgorithm, WriteOptions, WrittenBody } from '../../data-path/data-path';
import type { PostFormReader } from '../../http/post-form';
import { FORM_BYTES_MAX } from '../../http/post-form';
import type { OperationContext } from '../operation';
import { S3Error } from '../s3-error';
import type { FileSizeRange } from './post-policy';
import { UPLOAD_SIZE_BYTES_MAX } from './write-size';

export interface FormFileOptions {
  /** Of the whole request. */
  readonly requestBytes: number;
  readonly range: FileSizeRange;
  /** See `writeTarget`. */
  readonly target: Pick<WriteOptions, 'slot' | 'outagePolicy' | 'isOneZone'>;
  readonly digests: readonly DigestAlgorithm[];
  readonly signal: AbortSignal;
}

export interface WrittenFile extends WrittenBody {
  readonly sizeBytes: number;
}

/**
 * Stores the file of a form. How long it is nobody knows before its end, and the data path wants to
 * know, but it is at most `FORM_BYTES_MAX` shorter than the request. So what is certain to come
 * streams into one blob, and the rest, which fits in memory, goes into a second one.
 *
 * @throws S3Error EntityTooLarge as soon as the file is, EntityTooSmall, MalformedPOSTRequest.
 */
export async function writeFormFile(
  form: PostFormReader,
  options: FormFileOptions,
  context: OperationContext,
): Promise<WrittenFile> {
  const { requestBytes, target, signal } = options;
  const bodyDigests = await BodyDigests.open(options.digests);
  const file = new FileSource(form, options.range, bodyDigests);
  // Neither of two may be small enough to be kept inline: a version is either inline or in blobs.
  const { inlineBytesMax } = context.view.map().settings;
  const certainBytes = requestBytes - FORM_BYTES_MAX - (inlineBytesMax + 1);
  if (certainBytes > options.range.maxBytes || certainBytes > UPLOAD_SIZE_BYTES_MAX) {
    throw tooLarge(certainBytes, options.range);
  }

  const parts: CommittedData[] = [];
  try {
    if (certainBytes > inlineBytesMax) {
      const source: ByteSource = { readInto: (sink) => file.readExactly(certainBytes, sink) };
      const write = { ...target, sizeBytes: certainBytes, digests: [], signal };
      parts.push((await context.dataPath.write(source, write)).data);
    }
    const rest = await file.readRest();
    if (rest.length > 0 || parts.length === 0) {
      const source: ByteSource = {
        async readInto(sink) {
          await sink(rest);
        },
      };
      const write = { ...target, sizeBytes: rest.length, digests: [], signal };
      parts.push((await context.dataPath.write(source, write)).data);
    }
    if (file.sizeBytes < options.range.minBytes) {
      throw new S3Error('EntityTooSmall', {
        ProposedSize: file.sizeBytes,
        MinSizeAllowed: options.range.minBytes,
      });
    }
  } catch (error) {
    context.dataPath.discard(parts.flatMap(({ blobs }) => blobs));
    throw error;
  }
  return { data: joined(parts), digests: await bodyDigests.finish(), sizeBytes: file.sizeBytes };
}

function joined(parts: readonly CommittedData[]): CommittedData {
  const inline = parts.map((part) => part.inline).find((bytes) => bytes !== null) ?? null;
  assert(inline === null || parts.length === 1, 'a body is inline or in blobs');
  if (parts.length === 1) return parts[0] as CommittedData;
  return {
    inline,
    blobs: parts.flatMap((part) => part.blobs),
    missing: parts.flatMap((part) => part.missing),
    mapVersion: Math.min(...parts.map((part) => part.mapVersion ?? 0)),
  };
}

function tooLarge(sizeBytes: number, range: FileSizeRange): S3Error {
  return new S3Error('EntityTooLarge', {
    ProposedSize: sizeBytes,
    MaxSizeAllowed: Math.min(range.maxBytes, UPLOAD_SIZE_BYTES_MAX),
  });
}

/** The content of the file part, digested and measured on the way. */
class FileSource {
  readonly #form: PostFormReader;
  readonly #range: FileSizeRange;
  readonly #digests: BodyDigests;
  #sizeBytes = 0;
  /** What of the last piece was not wanted yet. */
  #left: Buffer | null = null;

  constructor(form: PostFormReader, range: FileSizeRange, digests: BodyDigests) {
    this.#form = form;
    this.#range = range;
    this.#digests = digests;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  async readExactly(sizeBytes: number, sink: ByteSink): Promise<void> {
    let missingBytes = sizeBytes;
    while (missingBytes > 0) {
      const piece = await this.#next();
      // Then the form without the file is longer than it may be, though most of it comes behind.
      if (piece === null) throw new S3Error('MaxPostPreDataLengthExceededError');
      const wanted = piece.subarray(0, missingBytes);
      if (wanted.length < piece.length) this.#left = piece.subarray(wanted.length);
      missingBytes -= wanted.length;
      await sink(wanted);
    }
  }

  async readRest(): Promise<Buffer> {
    const pieces: Buffer[] = [];
    for (;;) {
      const piece = await this.#next();
      if (piece === null) return Buffer.concat(pieces);
      pieces.push(Buffer.from(piece));
    }
  }

  async #next(): Promise<Buffer | null> {
    const left = this.#left;
    this.#left = null;
    if (left !== null) return left;
    const piece = await this.#form.nextPiece();
    if (piece === null) return null;
    this.#sizeBytes += piece.length;
    if (this.#sizeBytes > Math.min(this.#range.maxBytes, UPLOAD_SIZE_BYTES_MAX)) {
      throw tooLarge(this.#sizeBytes, this.#range);
    }
    this.#digests.update(piece);
    return piece;
  }
}
