import type { ClusterView, IdentitySnapshot, MetadataClient } from '@azimuth/clients';
import { hasCode, StoreError } from '@azimuth/common';
import type { Clock } from '@azimuth/common';
import type { IdentityChange } from '@azimuth/proto';

/** How often changes are computed anew when others came first. */
const ATTEMPTS_MAX = 8;
/** How long this gateway waits to see what it knows was committed. */
const SEEN_TIMEOUT_MS = 5_000;

export interface IdentityCommitOptions {
  readonly metadata: Pick<MetadataClient, 'root'>;
  readonly view: Pick<ClusterView, 'identities' | 'waitForChange'>;
  readonly clock: Clock;
  readonly signal?: AbortSignal;
}

/** What was computed from a snapshot. */
export interface IdentityPlan {
  readonly changes: readonly IdentityChange[];
}

/**
 * Computes changes from the identities as they are and commits them, all or none; computes again
 * when something else was committed in between. Afterwards this gateway sees them.
 *
 * @param plan pure.
 * @throws what `plan` throws; StoreError PRECONDITION_FAILED when others kept coming first,
 *   INVALID_ARGUMENT with `detail.limit`, and what commands throw.
 */
export async function commitIdentities<Plan extends IdentityPlan>(
  plan: (snapshot: IdentitySnapshot) => Plan,
  options: IdentityCommitOptions,
): Promise<Plan> {
  const { metadata, view, signal } = options;
  for (let attempt = 1; ; attempt += 1) {
    const snapshot = view.identities();
    const planned = plan(snapshot);
    if (planned.changes.length === 0) return planned;
    try {
      const { revision } = await metadata.root(
        'CommitIdentities',
        { expectedRevision: snapshot.revision, changes: planned.changes },
        { signal },
      );
      await waitForRevision(revision, options);
      return planned;
    } catch (error) {
      if (!hasCode(error, 'PRECONDITION_FAILED') || attempt >= ATTEMPTS_MAX) throw error;
      const revision = Number(error.detail['revision']);
      await waitForRevision(revision, options);
    }
  }
}

/** @throws StoreError UNAVAILABLE when the watch does not bring it. */
async function waitForRevision(
  revision: number,
  { view, clock, signal }: IdentityCommitOptions,
): Promise<void> {
  const deadlineMs = clock.monotonicMs() + SEEN_TIMEOUT_MS;
  while (view.identities().revision < revision) {
    signal?.throwIfAborted();
    const leftMs = deadlineMs - clock.monotonicMs();
    if (leftMs <= 0) throw new StoreError('UNAVAILABLE', { reason: 'identities are behind' });
    await view.waitForChange(leftMs);
  }
}
