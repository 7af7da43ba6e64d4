import { StoreError } from '@azimuth/common';
import type { Clock, Random } from '@azimuth/common';

import { LOOPBACK } from './dev-layout';
import type { DevNode, DevPorts } from './dev-layout';
import { LinkProxy } from './link-proxy';
import { checkRule, LinkRules } from './link-rule';
import type { PlacedRule } from './link-rule';

/** Ports that other nodes dial. */
const DIALED_PORTS = ['rpcPort', 'bulkPort'] as const;

export interface RegionLinksOptions {
  readonly nodes: readonly DevNode[];
  readonly ports: ReadonlyMap<string, DevPorts>;
  readonly clock: Clock;
  readonly random: Random;
}

/**
 * A proxy on every way from a process to a process of another zone, and from a gateway to the
 * metadata node of its own. What else stays in a zone goes straight.
 */
export class RegionLinks {
  readonly #nodes: readonly DevNode[];
  readonly #rules = new LinkRules();
  readonly #proxies: LinkProxy[] = [];
  readonly #maps = new Map<string, Record<string, string>>();

  private constructor(nodes: readonly DevNode[]) {
    this.#nodes = nodes;
  }

  static async open(options: RegionLinksOptions): Promise<RegionLinks> {
    const { nodes } = options;
    const links = new RegionLinks(nodes);
    for (const from of nodes) {
      for (const to of nodes.filter((each) => isLinked(from, each))) {
        await links.#add(from, to, options);
      }
    }
    return links;
  }

  /** What the configuration of a node says about where it reaches others. */
  addressMapOf(nodeId: string): Readonly<Record<string, string>> {
    return this.#maps.get(nodeId) ?? {};
  }

  /** @throws StoreError NOT_FOUND for an unknown zone or node, INVALID_ARGUMENT. */
  set({ from, to, rule }: PlacedRule): void {
    for (const place of [from, to]) {
      const isKnown = this.#nodes.some(({ nodeId, zone }) => nodeId === place || zone === place);
      if (!isKnown) throw new StoreError('NOT_FOUND', { place });
    }
    this.#rules.set({ from, to, rule: checkRule(rule) });
  }

  /** Every link is healthy again. */
  heal(): void {
    this.#rules.clear();
  }

  close(): void {
    for (const proxy of this.#proxies) proxy.close();
  }

  async #add(from: DevNode, to: DevNode, options: RegionLinksOptions): Promise<void> {
    const { ports, clock, random } = options;
    for (const name of DIALED_PORTS) {
      const port = ports.get(to.nodeId)?.[name];
      if (port === undefined) continue;
      const proxy = await LinkProxy.open({ from, to, port, rules: this.#rules, clock, random });
      this.#proxies.push(proxy);
      const map = this.#maps.get(from.nodeId) ?? {};
      map[`${LOOPBACK}:${port}`] = proxy.address;
      this.#maps.set(from.nodeId, map);
    }
  }
}

function isLinked(from: DevNode, to: DevNode): boolean {
  if (from.zone !== to.zone) return true;
  return from.role === 'gateway' && to.role === 'metadata';
}
