import { required, StoreError } from '@azimuth/common';
import type { IndexCommands, PartRecord, UploadRecord } from '@azimuth/proto';
import { decodeRecord, encodeRecord } from '@azimuth/proto';

import type { CheckedStore } from './checked-store';
import type { Counters } from './counters';
import { ExpiryQueue } from './expiry-queue';
import { decodePart, decodeUpload, encodePart, encodeUpload } from './record-codec';
import { partSuffix, recordKey, uploadOrderSuffix, uploadSuffix } from './record-keys';
import type { KeyAddress } from './version-store';

/** How long a completed upload answers as it did (M-6). */
const TOMBSTONE_MS = 24 * 3_600_000;

export type CompleteResult = IndexCommands['CompleteUpload']['result'];

/** An upload that ended: aborted when `result` is null. */
export interface UploadTombstone {
  readonly initiatedMs: number;
  readonly result: CompleteResult | null;
}

/** Uploads and their parts. The set of part numbers is a bitmap, so that no range has to be read. */
export class UploadStore {
  readonly #records: CheckedStore;
  readonly #expiry: ExpiryQueue;

  constructor(records: CheckedStore, counters: Counters) {
    this.#records = records;
    this.#expiry = new ExpiryQueue(records, counters, 'tombstone');
  }

  find(at: KeyAddress, uploadId: string): UploadRecord | null {
    const content = this.#records.get(recordKey('u', at.address, uploadSuffix(uploadId)));
    return content === null ? null : decodeUpload({ ...at, uploadId }, content);
  }

  /** @throws StoreError UPLOAD_NOT_FOUND */
  require(at: KeyAddress, uploadId: string): UploadRecord {
    const upload = this.find(at, uploadId);
    if (upload === null) throw new StoreError('UPLOAD_NOT_FOUND', { uploadId });
    return upload;
  }

  add(at: KeyAddress, upload: UploadRecord): void {
    const { uploadId, initiatedMs } = upload;
    this.#records.put(recordKey('u', at.address, uploadSuffix(uploadId)), encodeUpload(upload));
    this.#records.put(
      recordKey('w', at.address, uploadOrderSuffix(initiatedMs, uploadId)),
      Buffer.alloc(0),
    );
  }

  part(at: KeyAddress, uploadId: string, partNumber: number): PartRecord | null {
    const content = this.#records.get(partKey(at, uploadId, partNumber));
    return content === null ? null : decodePart(content);
  }

  putPart(at: KeyAddress, uploadId: string, part: PartRecord): void {
    this.#records.put(partKey(at, uploadId, part.partNumber), encodePart(part));
    const bitmap = this.#bitmap(at, uploadId);
    const byte = part.partNumber >> 3;
    const bit = 1 << (part.partNumber & 7);
    if (((bitmap[byte] ?? 0) & bit) !== 0) return;
    const grown = Buffer.alloc(Math.max(bitmap.length, byte + 1));
    bitmap.copy(grown);
    grown[byte] = (grown[byte] ?? 0) | bit;
    this.#records.put(recordKey('y', at.address, uploadSuffix(uploadId)), grown);
  }

  /** All parts, ascending. */
  parts(at: KeyAddress, uploadId: string): PartRecord[] {
    const bitmap = this.#bitmap(at, uploadId);
    const parts: PartRecord[] = [];
    for (let number = 0; number < bitmap.length * 8; number += 1) {
      if (((bitmap[number >> 3] as number) & (1 << (number & 7))) === 0) continue;
      parts.push(required(this.part(at, uploadId, number), 'part'));
    }
    return parts;
  }

  /** Removes the upload with all its parts; it is remembered for a day. */
  end(at: KeyAddress, upload: UploadRecord, result: CompleteResult | null, nowMs: number): void {
    const { uploadId, initiatedMs } = upload;
    for (const { partNumber } of this.parts(at, uploadId)) {
      this.#records.delete(partKey(at, uploadId, partNumber));
    }
    this.#records.delete(recordKey('y', at.address, uploadSuffix(uploadId)));
    this.#records.delete(recordKey('u', at.address, uploadSuffix(uploadId)));
    this.#records.delete(recordKey('w', at.address, uploadOrderSuffix(initiatedMs, uploadId)));
    const key = recordKey('t', at.address, uploadSuffix(uploadId));
    this.#records.put(key, encodeRecord([initiatedMs, result]));
    this.#expiry.push(key, nowMs + TOMBSTONE_MS);
  }

  tombstone(at: KeyAddress, uploadId: string): UploadTombstone | null {
    const content = this.#records.get(recordKey('t', at.address, uploadSuffix(uploadId)));
    if (content === null) return null;
    const [initiatedMs, result] = decodeRecord(content) as [number, CompleteResult | null];
    return { initiatedMs, result };
  }

  reload(): void {
    this.#expiry.reload();
  }

  evict(nowMs: number): void {
    this.#expiry.evict(nowMs);
  }

  #bitmap(at: KeyAddress, uploadId: string): Buffer {
    const content = this.#records.get(recordKey('y', at.address, uploadSuffix(uploadId)));
    return content ?? Buffer.alloc(0);
  }
}

function partKey(at: KeyAddress, uploadId: string, partNumber: number): Buffer {
  return recordKey('p', at.address, partSuffix(uploadId, partNumber));
}
