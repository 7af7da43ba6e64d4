import { StoreError } from '@azimuth/common';

import type { DevNode } from './dev-layout';
import { checkRule } from './link-rule';
import type { LinkRules, PlacedRule } from './link-rule';

/** The links between the nodes of a region, of a kind that can be hurt. */
export interface RegionLinks {
  /** Some kernels can drop packets, but not hold them back. */
  readonly canDelay: boolean;
  /** The address that a node listens on and that the launcher finds it under. */
  hostOf(nodeId: string): string;
  /** What the configuration of a node says about where it reaches others. */
  addressMapOf(nodeId: string): Readonly<Record<string, string>>;
  /** Command and arguments that go before those of the process of a node. */
  commandPrefixOf(nodeId: string): readonly string[];
  /**
   * Resolves when the rules hold; of several the last one counts.
   *
   * @throws StoreError NOT_FOUND for an unknown zone or node, INVALID_ARGUMENT, UNAVAILABLE for
   *   what these links cannot do.
   */
  set(rules: readonly PlacedRule[]): Promise<void>;
  /** Every link is healthy again. */
  heal(): Promise<void>;
  /** Safe to call twice. */
  close(): Promise<void>;
}

/** @throws StoreError NOT_FOUND, INVALID_ARGUMENT; then none of the rules is set. */
export function setAll(
  rules: LinkRules,
  placed: readonly PlacedRule[],
  nodes: readonly DevNode[],
): void {
  for (const { from, to, rule } of placed) {
    for (const place of [from, to]) {
      const isKnown = nodes.some(({ nodeId, zone }) => nodeId === place || zone === place);
      if (!isKnown) throw new StoreError('NOT_FOUND', { place });
    }
    checkRule(rule);
  }
  for (const each of placed) rules.set(each);
}
