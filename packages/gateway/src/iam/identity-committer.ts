import type { IdentitySnapshot } from '@azimuth/clients';
import { Semaphore } from '@azimuth/common';

import { commitIdentities } from './identity-commit';
import type { IdentityCommitOptions, IdentityPlan } from './identity-commit';

/** Changes that wait for their turn. */
const WAITING_MAX = 256;

/**
 * Commits changes one after the other: those of one gateway never conflict with each other, however
 * many come at once.
 */
export class IdentityCommitter {
  readonly #options: IdentityCommitOptions;
  readonly #turns = new Semaphore(1, WAITING_MAX);

  constructor(options: IdentityCommitOptions) {
    this.#options = options;
  }

  get view(): IdentityCommitOptions['view'] {
    return this.#options.view;
  }

  /** As `commitIdentities`. @throws StoreError also OVERLOADED */
  async commit<Plan extends IdentityPlan>(
    plan: (snapshot: IdentitySnapshot) => Plan,
    signal: AbortSignal,
  ): Promise<Plan> {
    // What changes nothing waits for nobody.
    const planned = plan(this.view.identities());
    if (planned.changes.length === 0) return planned;
    const release = await this.#turns.acquire();
    try {
      signal.throwIfAborted();
      return await commitIdentities(plan, { ...this.#options, signal });
    } finally {
      release();
    }
  }
}
