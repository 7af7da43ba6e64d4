import { StoreError } from '@azimuth/common';
import type { Clock, Random } from '@azimuth/common';

import type { DevNode, DevPorts } from './dev-layout';
import { NetnsLinks, tryNetns } from './netns-links';
import { ProxyLinks } from './proxy-links';
import type { RegionLinks } from './region-links';
import type { RunTool } from './system-tool';

/** What `--links` asks for. */
export const LINK_KINDS = ['auto', 'proxy', 'netns'] as const;
export type LinkKind = (typeof LINK_KINDS)[number];

/** What it came to on this machine. */
export type LinkChoice =
  | { readonly kind: 'none' }
  | { readonly kind: 'proxy'; readonly because: string }
  | { readonly kind: 'netns'; readonly canDelay: boolean };

/**
 * Namespaces where they can do all that proxies can, unless one was asked for.
 *
 * @throws StoreError UNAVAILABLE when namespaces were asked for and cannot be had.
 */
export async function chooseLinks(
  wanted: LinkKind | null,
  { runTool, launcherPid }: { readonly runTool: RunTool; readonly launcherPid: number },
): Promise<LinkChoice> {
  if (wanted === null) return { kind: 'none' };
  if (wanted === 'proxy') return { kind: 'proxy', because: 'asked for' };
  const ability = await tryNetns(runTool, launcherPid);
  if (!ability.canUse) {
    const { reason } = ability;
    if (wanted === 'netns') throw new StoreError('UNAVAILABLE', { links: 'netns', reason });
    return { kind: 'proxy', because: `no namespaces: ${reason}` };
  }
  if (wanted === 'auto' && !ability.canDelay) {
    return { kind: 'proxy', because: 'this kernel has no netem, which delays packets' };
  }
  return { kind: 'netns', canDelay: ability.canDelay };
}

export interface LinksOptions {
  readonly nodes: readonly DevNode[];
  readonly region: string;
  readonly ports: ReadonlyMap<string, DevPorts>;
  readonly runTool: RunTool;
  readonly launcherPid: number;
  readonly clock: Clock;
  readonly random: Random;
}

/** Null for links that cannot be hurt. */
export async function openLinks(
  choice: LinkChoice,
  options: LinksOptions,
): Promise<RegionLinks | null> {
  switch (choice.kind) {
    case 'none':
      return null;
    case 'proxy':
      return ProxyLinks.open(options);
    case 'netns':
      return NetnsLinks.open({ ...options, canDelay: choice.canDelay });
  }
}
