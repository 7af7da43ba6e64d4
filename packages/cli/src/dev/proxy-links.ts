import type { Clock, Random } from '@azimuth/common';

import { LOOPBACK } from './dev-layout';
import type { DevNode, DevPorts } from './dev-layout';
import { LinkProxy } from './link-proxy';
import { LinkRules } from './link-rule';
import type { PlacedRule } from './link-rule';
import { setAll } from './region-links';
import type { RegionLinks } from './region-links';

/** Ports that other nodes dial. */
const DIALED_PORTS = ['rpcPort', 'bulkPort'] as const;

export interface ProxyLinksOptions {
  readonly nodes: readonly DevNode[];
  readonly ports: ReadonlyMap<string, DevPorts>;
  readonly clock: Clock;
  readonly random: Random;
}

/**
 * A proxy on every way from a process to a process of another zone, and from a gateway to the
 * metadata node of its own. What else stays in a zone goes straight.
 */
export class ProxyLinks implements RegionLinks {
  readonly canDelay = true;
  readonly #nodes: readonly DevNode[];
  readonly #rules = new LinkRules();
  readonly #proxies: LinkProxy[] = [];
  readonly #maps = new Map<string, Record<string, string>>();

  private constructor(nodes: readonly DevNode[]) {
    this.#nodes = nodes;
  }

  static async open(options: ProxyLinksOptions): Promise<ProxyLinks> {
    const { nodes } = options;
    const links = new ProxyLinks(nodes);
    for (const from of nodes) {
      for (const to of nodes.filter((each) => isLinked(from, each))) {
        await links.#add(from, to, options);
      }
    }
    return links;
  }

  hostOf(): string {
    return LOOPBACK;
  }

  addressMapOf(nodeId: string): Readonly<Record<string, string>> {
    return this.#maps.get(nodeId) ?? {};
  }

  commandPrefixOf(): readonly string[] {
    return [];
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- so that it rejects, not throws
  async set(rules: readonly PlacedRule[]): Promise<void> {
    setAll(this.#rules, rules, this.#nodes);
  }

  heal(): Promise<void> {
    this.#rules.clear();
    return Promise.resolve();
  }

  close(): Promise<void> {
    for (const proxy of this.#proxies) proxy.close();
    return Promise.resolve();
  }

  async #add(from: DevNode, to: DevNode, options: ProxyLinksOptions): Promise<void> {
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
