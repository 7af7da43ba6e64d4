/** What an entry says of itself besides its command. Time is the log's, never the machine's. */
export interface CommandContext {
  /** Log index of the entry. */
  readonly index: number;
  /** Never smaller than that of the entry before. */
  readonly nowMs: number;
}
