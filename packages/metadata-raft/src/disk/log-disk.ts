/**
 * The files that the log needs, injected so that a simulated disk can lose, tear and flip what was
 * written. All names live in one flat directory.
 */
export interface LogDisk {
  /** Names of all files, in no order. */
  list(): Promise<readonly string[]>;
  /** Opens `name`, creating it empty when it does not exist. Creation is durable after syncDirectory. */
  open(name: string): Promise<LogFile>;
  /** Durable after syncDirectory. */
  remove(name: string): Promise<void>;
  /** Replaces `target`. Durable after syncDirectory; `source` must be synced before. */
  rename(source: string, target: string): Promise<void>;
  syncDirectory(): Promise<void>;
}

export interface LogFile {
  readonly sizeBytes: number;
  /** Writes all of `bytes` at `offset`. Not durable before `sync`. */
  write(offset: number, bytes: Buffer): Promise<void>;
  /**
   * Makes everything written before this call durable.
   *
   * @throws StoreError DISK_FENCED: the process must end; a retry could succeed without the data.
   */
  sync(): Promise<void>;
  /** Up to `lengthBytes` from `offset`; shorter at the end of the file. */
  read(offset: number, lengthBytes: number): Buffer;
  truncate(sizeBytes: number): Promise<void>;
  close(): Promise<void>;
}
