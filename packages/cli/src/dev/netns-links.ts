import { hasCode, StoreError } from '@azimuth/common';
import type { Random } from '@azimuth/common';

import { LOOPBACK } from './dev-layout';
import type { DevNode } from './dev-layout';
import { LinkRules } from './link-rule';
import type { PlacedRule } from './link-rule';
import {
  abandonedNamespaces,
  buildScripts,
  filterScript,
  freeNetwork,
  layOutNetns,
  NETWORKS,
  removalScript,
  shapingScript,
  UNSHAPED_SCRIPT,
} from './netns-layout';
import type { NetnsLayout } from './netns-layout';
import { setAll } from './region-links';
import type { RegionLinks } from './region-links';
import type { RunTool } from './system-tool';

/** Where iproute2 keeps namespaces that have a name. */
const NAMESPACE_DIRECTORY = '/var/run/netns';

export interface NetnsLinksOptions {
  readonly nodes: readonly DevNode[];
  readonly region: string;
  readonly launcherPid: number;
  readonly canDelay: boolean;
  readonly runTool: RunTool;
  readonly random: Random;
}

/** What this machine lets us do with its network. */
export type NetnsAbility =
  | { readonly canUse: false; readonly reason: string }
  | {
      readonly canUse: true;
      /** Packets can be held back: the kernel has netem. */
      readonly canDelay: boolean;
    };

/**
 * Every process in a network namespace of its own. A cut drops packets in the kernel: whoever dials
 * gets no answer to its SYN, connections that were there go silent, and TCP tries again by its own
 * rules. Namespaces are named after the process id of the launcher.
 */
export class NetnsLinks implements RegionLinks {
  readonly canDelay: boolean;
  readonly #layout: NetnsLayout;
  readonly #run: RunTool;
  readonly #rules = new LinkRules();
  /** What `tc` was told last, by node. */
  readonly #shaping = new Map<string, string>();
  /** One change of the kernel's rules after the other. */
  #changes: Promise<void> = Promise.resolve();

  private constructor(layout: NetnsLayout, { runTool, canDelay }: NetnsLinksOptions) {
    this.#layout = layout;
    this.#run = runTool;
    this.canDelay = canDelay;
  }

  /** @throws StoreError UNAVAILABLE when the kernel refuses; then nothing is left behind. */
  static async open(options: NetnsLinksOptions): Promise<NetnsLinks> {
    const { nodes, region, launcherPid: pid, runTool, random } = options;
    const listed = await runTool(['ip', '-o', 'link', 'show']);
    const network = freeNetwork(listed, random.below(NETWORKS));
    if (network === null) throw new StoreError('UNAVAILABLE', { networksMax: NETWORKS });
    const layout = layOutNetns(nodes, { pid, region, network });
    const links = new NetnsLinks(layout, options);
    try {
      for (const { namespace, script } of buildScripts(layout)) {
        await runTool([...ip(namespace), '-batch', '-'], script);
      }
    } catch (error) {
      await links.close();
      throw error;
    }
    return links;
  }

  hostOf(nodeId: string): string {
    return this.#layout.nodes.find((each) => each.nodeId === nodeId)?.address ?? LOOPBACK;
  }

  addressMapOf(): Readonly<Record<string, string>> {
    return {};
  }

  commandPrefixOf(nodeId: string): readonly string[] {
    const node = this.#layout.nodes.find((each) => each.nodeId === nodeId);
    return node === undefined ? [] : within(node.namespace);
  }

  async set(rules: readonly PlacedRule[]): Promise<void> {
    if (!this.canDelay && rules.some(({ rule }) => rule.delayMs > 0)) {
      throw new StoreError('UNAVAILABLE', {
        hint: 'this kernel has no netem, which delays packets; start with --links=proxy',
      });
    }
    setAll(this.#rules, rules, this.#layout.nodes);
    await this.#apply();
  }

  async heal(): Promise<void> {
    this.#rules.clear();
    await this.#apply();
  }

  async close(): Promise<void> {
    // Of what was made only in part, some cannot be removed.
    await this.#run(['ip', '-force', '-batch', '-'], removalScript(this.#layout)).catch(
      () => undefined,
    );
  }

  #apply(): Promise<void> {
    const change = this.#changes.then(() => this.#tellKernel());
    this.#changes = change.catch(() => undefined);
    return change;
  }

  async #tellKernel(): Promise<void> {
    const { switchName, nodes } = this.#layout;
    const filter = filterScript(this.#layout, this.#rules);
    await this.#run([...within(switchName), 'nft', '-f', '-'], filter);
    await Promise.all(
      nodes.map(({ nodeId, namespace }) =>
        this.#shape(nodeId, ['tc', '-netns', namespace, '-batch', '-']),
      ),
    );
  }

  async #shape(nodeId: string, tc: readonly string[]): Promise<void> {
    const script = shapingScript(this.#layout, nodeId, this.#rules);
    const before = this.#shaping.get(nodeId) ?? '';
    if (script === before) return;
    // The one before may have been taken in part only.
    if (before !== '') await this.#run(tc, UNSHAPED_SCRIPT).catch(() => undefined);
    this.#shaping.set(nodeId, script);
    if (script !== '') await this.#run(tc, script);
  }
}

/** Tries in a namespace of its own what links need; leaves nothing behind. */
export async function tryNetns(runTool: RunTool, launcherPid: number): Promise<NetnsAbility> {
  const namespace = `azimuth-${launcherPid}-trial`;
  try {
    await runTool(['ip', 'netns', 'add', namespace]);
    await runTool([...ip(namespace), '-batch', '-'], TRIAL_DEVICES);
    await runTool([...within(namespace), 'nft', '-f', '-'], TRIAL_FILTER);
    const netem = ['tc', '-netns', namespace, 'qdisc', 'add', 'dev', 'lo', 'root', 'netem'];
    const canDelay = await runTool([...netem, 'delay', '1ms']).then(
      () => true,
      () => false,
    );
    return { canUse: true, canDelay };
  } catch (error) {
    if (!hasCode(error, 'UNAVAILABLE')) throw error;
    return { canUse: false, reason: reasonOf(error) };
  } finally {
    await runTool(['ip', 'netns', 'del', namespace]).catch(() => undefined);
  }
}

/** Removes what launchers left that were killed. */
export async function removeAbandonedNetns(
  runTool: RunTool,
  isAlive: (launcherPid: number) => boolean,
): Promise<void> {
  const names = abandonedNamespaces(await runTool(['ip', 'netns', 'list']), isAlive);
  if (names.length === 0) return;
  const script = names.map((name) => `netns del ${name}\n`).join('');
  // Another launcher may do the same just now.
  await runTool(['ip', '-force', '-batch', '-'], script).catch(() => undefined);
}

const TRIAL_DEVICES =
  'link set lo up\nlink add trial0 type veth peer name trial1\n' +
  'link add bridge0 type bridge\nlink set trial0 master bridge0\n';
const TRIAL_FILTER =
  'table bridge trial {\nchain forward {\ntype filter hook forward priority 0;\n' +
  'ip saddr . ip daddr { 198.18.0.1 . 198.18.0.2 } numgen random mod 10 < 1 drop\n}\n}\n';

function ip(namespace: string | null): readonly string[] {
  return namespace === null ? ['ip'] : ['ip', '-netns', namespace];
}

/** Runs what follows in the namespace; it replaces this command, so that it has its process id. */
function within(namespace: string): readonly string[] {
  return ['nsenter', `--net=${NAMESPACE_DIRECTORY}/${namespace}`, '--'];
}

function reasonOf(error: StoreError): string {
  return String(error.detail['reason'] ?? error.message);
}
