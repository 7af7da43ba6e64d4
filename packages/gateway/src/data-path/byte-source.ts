/**
 * Bytes pushed from a source to a sink, with back-pressure: the sink returns a promise when it
 * needs the source to wait. Cheaper than async iteration (no promise per chunk), and a sink may
 * keep no reference to a chunk after it has returned or its promise has resolved.
 */
export type ByteSink = (chunk: Uint8Array) => Promise<void> | undefined;

/** A request body, or a decoder around one. Read once. */
export interface ByteSource {
  /**
   * Pushes every byte, in order, into `sink`; resolves at the end of the body. Rejects when the
   * body is cut short or malformed (an S3Error in the gateway), or with what the sink rejected
   * with.
   */
  readInto(sink: ByteSink): Promise<void>;
}
