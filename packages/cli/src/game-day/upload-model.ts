import type { SequentialModel } from './linearizability';

export interface UploadInput {
  readonly kind: 'complete' | 'abort';
}

export interface UploadOutput {
  /** `gone`: NoSuchUpload. */
  readonly kind: 'done' | 'gone';
}

type UploadState = 'open' | 'complete' | 'abort';

/** A multipart upload has one end: whoever comes first, completes or aborts. */
export const UPLOAD_MODEL: SequentialModel<UploadState, UploadInput, UploadOutput> = {
  initial: 'open',

  step(state, input, output) {
    if (state === 'open') return output?.kind === 'gone' ? undefined : input.kind;
    return output?.kind === 'done' ? undefined : state;
  },

  fingerprint: (state) => state,
};
