import { assert } from '@azimuth/common';

import type { DevNode } from './dev-layout';
import type { LinkRule, LinkRules } from './link-rule';

/**
 * The network of a region as the kernel is to have it, and the scripts that make it. One namespace
 * a node, joined by a bridge in a namespace of its own, so that no packet filter of the host sees
 * what they say to each other; one cable leads from the bridge to the launcher.
 *
 * Addresses are of the networks that RFC 2544 sets apart for tests (198.18.0.0/15): no host of the
 * Internet has them, and nodes that obey faults accept them as they do loopback.
 */
export interface NetnsLayout {
  /** The namespace of the bridge. */
  readonly switchName: string;
  /** The launcher's end of its cable. Named after the network, which so has one owner. */
  readonly uplink: string;
  readonly hostAddress: string;
  readonly nodes: readonly NetnsNode[];
}

export interface NetnsNode extends DevNode {
  readonly namespace: string;
  readonly address: string;
}

/** Networks to choose from. */
export const NETWORKS = 512;
const NODES_MAX = 250;
const NODE_DEVICE = 'eth0';
const LAUNCHER_NAMESPACE = /^azimuth-(\d+)-/;

/** @param network of `NETWORKS`. */
export function layOutNetns(
  nodes: readonly DevNode[],
  owner: { readonly pid: number; readonly region: string; readonly network: number },
): NetnsLayout {
  const { pid, region, network } = owner;
  assert(network >= 0 && network < NETWORKS && nodes.length <= NODES_MAX, 'network too small');
  const prefix = `198.${18 + Math.floor(network / 256)}.${network % 256}`;
  const name = `azimuth-${pid}-${region}`;
  return {
    switchName: `${name}-switch`,
    uplink: `azimuth${network}`,
    hostAddress: `${prefix}.254`,
    nodes: nodes.map((node, index) => ({
      ...node,
      namespace: `${name}-${node.nodeId}`,
      address: `${prefix}.${index + 1}`,
    })),
  };
}

/** Of namespaces by `ip netns list`, those whose launcher is gone. */
export function abandonedNamespaces(
  listed: string,
  isAlive: (launcherPid: number) => boolean,
): string[] {
  const names = listed.split('\n').map((line) => line.split(' ')[0] ?? '');
  return names.filter((name) => {
    const pid = LAUNCHER_NAMESPACE.exec(name)?.[1];
    return pid !== undefined && !isAlive(Number(pid));
  });
}

/** A network that has no uplink yet, by what `ip -o link show` says; from `first` on. */
export function freeNetwork(listed: string, first: number): number | null {
  const used = new Set([...listed.matchAll(/\bazimuth(\d+)[@:]/g)].map(([, n]) => Number(n)));
  for (let step = 0; step < NETWORKS; step += 1) {
    const network = (first + step) % NETWORKS;
    if (!used.has(network)) return network;
  }
  return null;
}

/** Scripts for `ip -batch`, in their order: in a namespace, or in that of the launcher. */
export function buildScripts(
  layout: NetnsLayout,
): readonly { readonly namespace: string | null; readonly script: string }[] {
  const { switchName, uplink, hostAddress, nodes } = layout;
  const cables = nodes.map(
    ({ namespace }, index) =>
      `link add port${index} netns ${switchName} type veth peer name ${NODE_DEVICE} netns ${namespace}`,
  );
  const ports = ['uplink', ...nodes.map((_node, index) => `port${index}`)];
  return [
    {
      namespace: null,
      script: lines([
        `netns add ${switchName}`,
        ...nodes.map(({ namespace }) => `netns add ${namespace}`),
        `link add ${uplink} type veth peer name uplink netns ${switchName}`,
        ...cables,
        `addr add ${hostAddress}/24 dev ${uplink}`,
        `link set ${uplink} up`,
      ]),
    },
    {
      namespace: switchName,
      script: lines([
        'link add bridge0 type bridge',
        ...ports.map((port) => `link set ${port} master bridge0 up`),
        'link set bridge0 up',
      ]),
    },
    ...nodes.map(({ namespace, address }) => ({
      namespace,
      script: lines([
        'link set lo up',
        `addr add ${address}/24 dev ${NODE_DEVICE}`,
        `link set ${NODE_DEVICE} up`,
      ]),
    })),
  ];
}

/** For `ip -force -batch`: everything of a layout goes, and with the namespaces their cables. */
export function removalScript({ uplink, switchName, nodes }: NetnsLayout): string {
  const names = [switchName, ...nodes.map(({ namespace }) => namespace)];
  return lines([`link del ${uplink}`, ...names.map((name) => `netns del ${name}`)]);
}

/**
 * The packet filter of the bridge, for `nft -f -`: replaces the one before in one step. Packets of a
 * cut link vanish, and of a lossy one some of them; TCP sees to the rest, as on any wire.
 */
export function filterScript(layout: NetnsLayout, rules: LinkRules): string {
  const cut: string[] = [];
  const lossy = new Map<number, string[]>();
  for (const { from, to, rule } of directedLinks(layout, rules)) {
    const link = `${from.address} . ${to.address}`;
    if (rule.isCut) cut.push(link);
    else if (rule.lossRate > 0) {
      lossy.set(rule.lossRate, [...(lossy.get(rule.lossRate) ?? []), link]);
    }
  }
  const chosen = (links: readonly string[]): string =>
    `ip saddr . ip daddr { ${links.join(', ')} }`;
  return lines([
    'table bridge azimuth',
    'delete table bridge azimuth',
    'table bridge azimuth {',
    'chain forward {',
    'type filter hook forward priority 0; policy accept;',
    ...(cut.length === 0 ? [] : [`${chosen(cut)} drop`]),
    ...[...lossy].map(
      ([rate, links]) => `${chosen(links)} numgen random mod 10000 < ${perMyriad(rate)} drop`,
    ),
    '}',
    '}',
  ]);
}

/**
 * What holds back the packets that a node sends, for `tc -batch` in its namespace: a class for each
 * other node that has a rule; everything else goes straight. Empty without such rules.
 */
export function shapingScript(layout: NetnsLayout, nodeId: string, rules: LinkRules): string {
  const shaped = directedLinks(layout, rules).filter(
    ({ from, rule }) =>
      from.nodeId === nodeId && (rule.delayMs > 0 || rule.bytesPerSecond !== null),
  );
  if (shaped.length === 0) return '';
  return lines([
    `qdisc add dev ${NODE_DEVICE} root handle 1: htb default 0`,
    ...shaped.flatMap(({ to, rule }, index) => shapedLink(to, rule, (index + 1).toString(16))),
  ]);
}

/** Ends what `shapingScript` made. */
export const UNSHAPED_SCRIPT = `qdisc del dev ${NODE_DEVICE} root\n`;

/** Faster than any link here. */
const UNLIMITED_RATE = '10gbit';
/** Of packets that are held back; more are lost, as in a router. */
const DELAYED_PACKETS_MAX = 20_000;

function shapedLink({ address }: NetnsNode, rule: LinkRule, id: string): string[] {
  const { delayMs, bytesPerSecond } = rule;
  // In the language of tc, "bps" are bytes.
  const rate = bytesPerSecond === null ? UNLIMITED_RATE : `${Math.ceil(bytesPerSecond)}bps`;
  const delay = `netem delay ${delayMs}ms limit ${DELAYED_PACKETS_MAX}`;
  return [
    `class add dev ${NODE_DEVICE} parent 1: classid 1:${id} htb rate ${rate} quantum 60000`,
    ...(delayMs > 0 ? [`qdisc add dev ${NODE_DEVICE} parent 1:${id} ${delay}`] : []),
    `filter add dev ${NODE_DEVICE} parent 1: protocol ip u32 match ip dst ${address}/32 flowid 1:${id}`,
  ];
}

function directedLinks(
  { nodes }: NetnsLayout,
  rules: LinkRules,
): { readonly from: NetnsNode; readonly to: NetnsNode; readonly rule: LinkRule }[] {
  return nodes.flatMap((from) =>
    nodes.filter((to) => to !== from).map((to) => ({ from, to, rule: rules.ruleOf(from, to) })),
  );
}

function perMyriad(rate: number): number {
  return Math.max(1, Math.round(rate * 10_000));
}

function lines(all: readonly string[]): string {
  return all.map((line) => `${line}\n`).join('');
}
