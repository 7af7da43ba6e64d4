import type { SequentialModel } from './linearizability';

/** What a client asks of one key of an unversioned bucket. Every PUT has an ETag of its own. */
export type ObjectInput =
  | {
      readonly kind: 'put';
      readonly etag: string;
      /** `If-None-Match: *` */
      readonly onlyIfAbsent: boolean;
      readonly ifMatch: string | null;
    }
  | { readonly kind: 'delete'; readonly ifMatch: string | null }
  | { readonly kind: 'get' };

export type ObjectOutput =
  | { readonly kind: 'done' }
  /** A condition did not hold: 412, or 404 for a write with If-Match. */
  | { readonly kind: 'refused' }
  /** What GET or HEAD found; null is 404. */
  | { readonly kind: 'found'; readonly etag: string | null };

/** ETag of the object, or null while there is none. */
type ObjectState = string | null;

/**
 * One key as S3 specifies it: a register with conditional writes (C-5, C-6, C-10). DELETE of what
 * is absent succeeds.
 */
export const OBJECT_MODEL: SequentialModel<ObjectState, ObjectInput, ObjectOutput> = {
  initial: null,

  step(state, input, output) {
    if (input.kind === 'get') {
      if (output === null) return state;
      return output.kind === 'found' && output.etag === state ? state : undefined;
    }
    const isHeld = conditionsHold(state, input);
    const after = isHeld ? (input.kind === 'put' ? input.etag : null) : state;
    if (output === null) return after;
    return output.kind === (isHeld ? 'done' : 'refused') ? after : undefined;
  },

  fingerprint: (state) => state ?? '',
};

function conditionsHold(state: ObjectState, input: Exclude<ObjectInput, { kind: 'get' }>): boolean {
  if (input.kind === 'delete') {
    return input.ifMatch === null || state === null || input.ifMatch === state;
  }
  if (input.onlyIfAbsent) return state === null;
  return input.ifMatch === null || input.ifMatch === state;
}
