import { StoreError } from '@azimuth/common';

/** What happens to the bytes that go one way over a link. */
export interface LinkRule {
  /** No byte passes and nobody is told, as where packets are dropped. */
  readonly isCut: boolean;
  readonly delayMs: number;
  /** Null without a limit. */
  readonly bytesPerSecond: number | null;
  /**
   * The part of all segments that is lost. TCP sends them again, so what is seen of it are pauses
   * (200 ms, doubled with each loss in a row) and, after many, a connection that is reset.
   */
  readonly lossRate: number;
}

export const HEALTHY_LINK: LinkRule = {
  isCut: false,
  delayMs: 0,
  bytesPerSecond: null,
  lossRate: 0,
};

/** A rule for everything that goes from one place to another; a place is a zone or a node. */
export interface PlacedRule {
  readonly from: string;
  readonly to: string;
  readonly rule: LinkRule;
}

/** Where one end of a link is. */
export interface LinkEnd {
  readonly nodeId: string;
  readonly zone: string;
}

const DELAY_MS_MAX = 60_000;

/** @throws StoreError INVALID_ARGUMENT */
export function checkRule(rule: LinkRule): LinkRule {
  const { delayMs, bytesPerSecond, lossRate } = rule;
  const isValid =
    delayMs >= 0 &&
    delayMs <= DELAY_MS_MAX &&
    (bytesPerSecond === null || bytesPerSecond > 0) &&
    lossRate >= 0 &&
    lossRate < 1;
  if (!isValid) throw new StoreError('INVALID_ARGUMENT', { delayMs, lossRate });
  return rule;
}

/**
 * The rules of a region's links. Of those that match a link the one that was set last counts, so
 * that a rule for a node can follow one for its zone.
 */
export class LinkRules {
  #rules: readonly PlacedRule[] = [];
  readonly #listeners = new Set<() => void>();

  /** Replaces the rule between the same places; a healthy one is not kept. */
  set(placed: PlacedRule): void {
    const { from, to, rule } = placed;
    const others = this.#rules.filter((each) => each.from !== from || each.to !== to);
    this.#rules = isHealthy(rule) ? others : [...others, placed];
    this.#changed();
  }

  clear(): void {
    this.#rules = [];
    this.#changed();
  }

  ruleOf(from: LinkEnd, to: LinkEnd): LinkRule {
    const isAt = (place: string, end: LinkEnd): boolean =>
      place === end.zone || place === end.nodeId;
    return (
      this.#rules.findLast((each) => isAt(each.from, from) && isAt(each.to, to))?.rule ??
      HEALTHY_LINK
    );
  }

  /** Returns what ends it. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #changed(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}

function isHealthy({ isCut, delayMs, bytesPerSecond, lossRate }: LinkRule): boolean {
  return !isCut && delayMs === 0 && bytesPerSecond === null && lossRate === 0;
}
