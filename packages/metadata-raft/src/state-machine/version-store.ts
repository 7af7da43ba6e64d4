import { assert, required } from '@azimuth/common';
import type { VersionBody, VersionHead } from '@azimuth/proto';

import type { CheckedStore } from './checked-store';
import { decodeBody, decodeVersion, encodeBody, encodeVersion } from './record-codec';
import type { StoredVersion } from './record-codec';
import { invertedSequence, recordKey } from './record-keys';
import { NULL_VERSION_ID, sequenceOfVersionId } from './version-id';

/** A key as commands address it: `address` is what its record keys have in common. */
export interface KeyAddress {
  readonly bucketId: string;
  readonly key: string;
  readonly address: Buffer;
}

/**
 * The versions of a key.
 *
 * K1 The current version, marker or not, is the `k` record; all others are `v` records. So a list
 *    reads one record a key however many versions there are.
 * K2 The versions of a key are a doubly linked list by sequence, newest first, so that each change
 *    is a fixed number of exact reads and no range is read while entries are applied.
 * K3 At most one version is `null`, and the current version knows its sequence (V-5, V-7).
 */
export class VersionStore {
  readonly #records: CheckedStore;

  constructor(records: CheckedStore) {
    this.#records = records;
  }

  current(at: KeyAddress): StoredVersion | null {
    const content = this.#records.get(recordKey('k', at.address));
    return content === null ? null : decodeVersion(at.key, content);
  }

  /** The version of that id; null when there is none, or the id is not one of ours. */
  find(at: KeyAddress, versionId: string): StoredVersion | null {
    const current = this.current(at);
    if (current === null || current.head.versionId === versionId) return current;
    const sequence =
      versionId === NULL_VERSION_ID ? current.nullSequence : sequenceOfVersionId(versionId);
    if (sequence === null || sequence === 0) return null;
    const found = this.#older(at, sequence);
    return found?.head.versionId === versionId ? found : null;
  }

  body(at: KeyAddress, sequence: number): VersionBody | null {
    const content = this.#records.get(recordKey('d', at.address, invertedSequence(sequence)));
    return content === null ? null : decodeBody(content);
  }

  putBody(at: KeyAddress, sequence: number, body: VersionBody): void {
    this.#records.put(recordKey('d', at.address, invertedSequence(sequence)), ...encodeBody(body));
  }

  /** Makes `head` the current version. A marker has no body. */
  insert(at: KeyAddress, head: VersionHead, body: VersionBody | null): void {
    const previous = this.current(at);
    const isNull = head.versionId === NULL_VERSION_ID;
    assert(!isNull || (previous?.nullSequence ?? 0) === 0, 'a second null version (K3)');
    if (previous !== null) {
      assert(previous.head.sequence < head.sequence, 'versions out of order');
      this.#putOlder(at, { ...previous, newerSequence: head.sequence, nullSequence: 0 });
    }
    this.#putCurrent(at, {
      head,
      olderSequence: previous?.head.sequence ?? 0,
      newerSequence: 0,
      nullSequence: isNull ? head.sequence : (previous?.nullSequence ?? 0),
    });
    if (body !== null) this.putBody(at, head.sequence, body);
  }

  /** Puts another head in the place of a version found before: same id, same sequence. */
  replaceHead(at: KeyAddress, version: StoredVersion, head: VersionHead): void {
    assert(head.sequence === version.head.sequence, 'the head of another version');
    assert(head.versionId === version.head.versionId, 'the head of another version');
    const replaced = { ...version, head };
    if (version.newerSequence === 0) this.#putCurrent(at, replaced);
    else this.#putOlder(at, replaced);
  }

  /** Removes a version found before, and answers its body; the next older becomes current. */
  remove(at: KeyAddress, version: StoredVersion): VersionBody | null {
    const current = required(this.current(at), 'current version');
    const isNull = version.head.versionId === NULL_VERSION_ID;
    const nullSequence = isNull ? 0 : current.nullSequence;
    if (version.head.sequence === current.head.sequence) {
      this.#removeCurrent(at, current, nullSequence);
    } else {
      this.#removeOlder(at, version, { ...current, nullSequence });
    }
    return this.#takeBody(at, version.head);
  }

  #removeCurrent(at: KeyAddress, current: StoredVersion, nullSequence: number): void {
    if (current.olderSequence === 0) {
      this.#records.delete(recordKey('k', at.address));
      return;
    }
    const older = required(this.#older(at, current.olderSequence), 'older version');
    this.#records.delete(olderKey(at, older.head.sequence));
    this.#putCurrent(at, { ...older, newerSequence: 0, nullSequence });
  }

  #removeOlder(at: KeyAddress, version: StoredVersion, current: StoredVersion): void {
    const { olderSequence, newerSequence } = version;
    this.#records.delete(olderKey(at, version.head.sequence));
    if (newerSequence === current.head.sequence) {
      this.#putCurrent(at, { ...current, olderSequence });
    } else {
      this.#putCurrent(at, current);
      const newer = required(this.#older(at, newerSequence), 'newer version');
      this.#putOlder(at, { ...newer, olderSequence });
    }
    if (olderSequence !== 0) {
      const older = required(this.#older(at, olderSequence), 'older version');
      this.#putOlder(at, { ...older, newerSequence });
    }
  }

  #takeBody(at: KeyAddress, head: VersionHead): VersionBody | null {
    if (head.isDeleteMarker) return null;
    const body = required(this.body(at, head.sequence), 'body');
    this.#records.delete(recordKey('d', at.address, invertedSequence(head.sequence)));
    return body;
  }

  #older(at: KeyAddress, sequence: number): StoredVersion | null {
    const content = this.#records.get(olderKey(at, sequence));
    return content === null ? null : decodeVersion(at.key, content);
  }

  #putCurrent(at: KeyAddress, version: StoredVersion): void {
    this.#records.put(recordKey('k', at.address), encodeVersion(version));
  }

  #putOlder(at: KeyAddress, version: StoredVersion): void {
    this.#records.put(olderKey(at, version.head.sequence), encodeVersion(version));
  }
}

function olderKey(at: KeyAddress, sequence: number): Buffer {
  return recordKey('v', at.address, invertedSequence(sequence));
}
