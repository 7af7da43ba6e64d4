/** What a store tells the metrics of its process. */
export interface StoreObserver {
  synced(seconds: number): void;
  fenced(reason: string): void;
  scrubbed(bytes: number): void;
  compacted(bytes: number): void;
}

export const silentObserver: StoreObserver = {
  synced: () => undefined,
  fenced: () => undefined,
  scrubbed: () => undefined,
  compacted: () => undefined,
};
