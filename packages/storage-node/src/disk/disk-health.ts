import { StoreError } from '@azimuth/common';
import type { DiskId, DiskState } from '@azimuth/placement';

/**
 * Whether a disk may be written. A failed fsync fences it for good: the kernel may have dropped the
 * dirty pages and report success the next time, so a retry would acknowledge bytes that are gone.
 */
export class DiskHealth {
  readonly #diskId: DiskId;
  readonly #onFenced: (reason: string) => void;
  #fencedReason: string | null = null;
  #isLowOnSpace = false;

  constructor(diskId: DiskId, onFenced: (reason: string) => void) {
    this.#diskId = diskId;
    this.#onFenced = onFenced;
  }

  get state(): Exclude<DiskState, 'lost'> {
    if (this.#fencedReason !== null) return 'fenced';
    return this.#isLowOnSpace ? 'full' : 'online';
  }

  setLowOnSpace(isLowOnSpace: boolean): void {
    this.#isLowOnSpace = isLowOnSpace;
  }

  /** Makes the disk read-only until it is replaced. Returns the error to hand to every waiter. */
  fence(reason: string, cause?: unknown): StoreError {
    if (this.#fencedReason === null) {
      this.#fencedReason = reason;
      this.#onFenced(reason);
    }
    return new StoreError('DISK_FENCED', { diskId: this.#diskId, reason }, cause);
  }

  /** @throws StoreError DISK_FENCED. */
  requireUnfenced(): void {
    if (this.#fencedReason === null) return;
    throw new StoreError('DISK_FENCED', { diskId: this.#diskId, reason: this.#fencedReason });
  }
}
