/**
 * Buffers of one size, used again: a fresh one of this size is mapped and zeroed by the kernel
 * every time. At most `idleMax` wait for their next use.
 */
export class BufferPool {
  readonly #sizeBytes: number;
  readonly #idleMax: number;
  readonly #idle: Buffer[] = [];

  constructor(sizeBytes: number, idleMax: number) {
    this.#sizeBytes = sizeBytes;
    this.#idleMax = idleMax;
  }

  take(): Buffer {
    return this.#idle.pop() ?? Buffer.allocUnsafeSlow(this.#sizeBytes);
  }

  give(buffer: Buffer): void {
    if (this.#idle.length < this.#idleMax) this.#idle.push(buffer);
  }
}
