import type { ClusterUnderTest } from './cluster-under-test';

/** What a development cluster must have been started with for a scenario. */
export type ScenarioNeed = 'links' | 'delays' | 'faults';

/** A fault, and how the cluster comes back from it. */
export interface Scenario {
  readonly name: string;
  /** What happens, in a sentence for the report. */
  readonly story: string;
  /**
   * Longest times without service after the fault that keep the promise P3; null when the fault
   * takes more than a zone, so that nothing may be lost but service may wait for `heal`.
   */
  readonly outageMsMax: { readonly read: number; readonly write: number } | null;
  readonly needs: readonly ScenarioNeed[];
  inject(cluster: ClusterUnderTest): Promise<void>;
  heal(cluster: ClusterUnderTest): Promise<void>;
}

/** P3: reads back within 5 s of the loss of a zone, writes within 10 s. */
export const ZONE_LOSS = { read: 5_000, write: 10_000 };
