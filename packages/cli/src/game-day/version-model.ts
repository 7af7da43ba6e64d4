import type { SequentialModel } from './linearizability';

/** What a client asks of one key of a versioned bucket. Every PUT has an ETag of its own. */
export type VersionInput =
  | { readonly kind: 'put'; readonly etag: string }
  /** Without a version: lays a delete marker on top. */
  | { readonly kind: 'delete' }
  | { readonly kind: 'delete-version'; readonly versionId: string }
  | { readonly kind: 'get' }
  | { readonly kind: 'get-version'; readonly versionId: string };

export type VersionOutput =
  /** With the version that was made. */
  | { readonly kind: 'made'; readonly versionId: string }
  | { readonly kind: 'done' }
  /** Nulls: no such version, or, with a version, a delete marker. */
  | {
      readonly kind: 'found';
      readonly etag: string | null;
      readonly versionId: string | null;
    };

interface Version {
  /** Null while nobody was told: the write that made it had no answer. */
  readonly versionId: string | null;
  /** Null for a delete marker. */
  readonly etag: string | null;
}

/** Newest first. */
type VersionState = readonly Version[];

/**
 * One key of a versioned bucket: versions never change and keep their ids; deletes lay markers
 *; deleting a version takes away that one alone, and succeeds when it is gone already.
 */
export const VERSION_MODEL: SequentialModel<VersionState, VersionInput, VersionOutput> = {
  initial: [],

  step(state, input, output) {
    switch (input.kind) {
      case 'put':
        return make(state, input.etag, output);
      case 'delete':
        return make(state, null, output);
      case 'delete-version':
        return state.filter(({ versionId }) => versionId !== input.versionId);
      case 'get':
        return output === null ? state : seeCurrent(state, output);
      case 'get-version':
        return output === null ? state : seeVersion(state, input.versionId, output);
    }
  },

  fingerprint: (state) =>
    state.map(({ versionId, etag }) => `${versionId ?? '?'}=${etag ?? ''}`).join(),
};

function make(
  state: VersionState,
  etag: string | null,
  output: VersionOutput | null,
): VersionState | undefined {
  if (output !== null && output.kind !== 'made') return undefined;
  const versionId = output?.versionId ?? null;
  const isKnown = versionId !== null && state.some((version) => version.versionId === versionId);
  return isKnown ? undefined : [{ versionId, etag }, ...state];
}

/** The newest version; one that nobody was told of gets its name now. */
function seeCurrent(state: VersionState, output: VersionOutput): VersionState | undefined {
  if (output.kind !== 'found') return undefined;
  const [current, ...older] = state;
  if (current === undefined) {
    return output.etag === null && output.versionId === null ? state : undefined;
  }
  if (current.etag !== output.etag) return undefined;
  if (current.versionId === output.versionId) return state;
  return current.versionId === null
    ? [{ ...current, versionId: output.versionId }, ...older]
    : undefined;
}

function seeVersion(
  state: VersionState,
  versionId: string,
  output: VersionOutput,
): VersionState | undefined {
  if (output.kind !== 'found') return undefined;
  const version = state.find((each) => each.versionId === versionId);
  return (version?.etag ?? null) === output.etag ? state : undefined;
}
