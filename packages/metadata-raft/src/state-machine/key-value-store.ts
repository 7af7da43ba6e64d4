/** Where a value lies that a store keeps in a file of its own. */
export interface ValueReference {
  readonly file: number;
  readonly offset: number;
  readonly sizeBytes: number;
  /** The last four bytes of the value. */
  readonly checksum: number;
}

/** One change of an atomic write; a null value deletes the key. */
export interface KeyValueOperation {
  readonly key: Buffer;
  readonly value: Buffer | null;
  /** The store has the value there already, durably: it need not be written again. */
  readonly reference?: ValueReference;
}

export type KeyValuePair = readonly [key: Buffer, value: Buffer];

/** Half-open range of keys in byte order. */
export interface KeyRange {
  readonly from: Buffer;
  readonly to: Buffer;
}

/** Reads a range of the store as it was when the reader was made. Must be closed. */
export interface RangeReader {
  /** The next pairs, at most `limit` (≥ 1); an empty answer is the end. */
  next(limit: number): Promise<readonly KeyValuePair[]>;
  /** Continues at the first key ≥ `target`, which must lie in the range. */
  seek(target: Buffer): void;
  close(): Promise<void>;
}

/** A record as it is kept: the value itself, or where it lies; null: deleted, among changes. */
export type StoredPair = readonly [key: Buffer, value: Buffer | ValueReference | null];

/** Records of a store as they were when the view was made, in the order of keys. Must be closed. */
export interface FrozenView {
  /** The next records, at most `limit` (≥ 1); an empty answer is the end. */
  next(limit: number): Promise<readonly StoredPair[]>;
  /**
   * Makes durable what the references point at, and keeps it until `release` is called with a
   * greater index.
   */
  hold(index: number): Promise<void>;
  close(): Promise<void>;
}

/** Of a store that keeps large values in files, which a snapshot refers to instead of copying. */
export interface ValueSeparation {
  /** Every record, for a snapshot up to `index`. */
  freeze(index: number): FrozenView;
  /**
   * What changed since `freeze` or this was called for `since`; null when that is not known, or
   * when it is better to freeze everything: most of what the snapshots hold is of no use any more.
   */
  freezeChanges(since: number, index: number): FrozenView | null;
  /** @throws StoreError STATE_CORRUPT */
  read(reference: ValueReference): Buffer;
  /** The snapshots up to an index before `index` are gone. */
  release(index: number): Promise<void>;
}

/**
 * What a state machine keeps its records in: ordered, atomic, not trusted. Durability is not asked
 * of it, because everything in it can be made again from a snapshot and the log; but a write is
 * never visible in part, also after a crash. Every read and write may throw StoreError
 * STATE_CORRUPT.
 */
export interface KeyValueStore {
  get(key: Buffer): Buffer | undefined;
  /** Atomic. One write at a time. */
  write(operations: readonly KeyValueOperation[]): Promise<void>;
  range(range: KeyRange): RangeReader;
  /** Removes everything. Not atomic. */
  clear(): Promise<void>;
  /** Marks the content as not to be trusted: the next open begins with an empty store. */
  condemn(): void;
  close(): Promise<void>;
  readonly separation?: ValueSeparation;
}
