import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import { StoreError } from '@azimuth/common';
import type { Clock, Faults, Random } from '@azimuth/common';

import { writeJsonAtomically } from './cluster-document';
import type { PrometheusTarget, RegionDocument } from './cluster-document';
import type { ControlAction } from './control-socket';
import { faultsPath, LOOPBACK, nodeConfig, portNames, sharedConfig } from './dev-layout';
import type {
  AddableRole,
  DevNode,
  DevPorts,
  DevRegionPlan,
  DevRole,
  ExtraPortName,
} from './dev-layout';
import { DevProcess } from './dev-process';
import { addRegionNode, ADMIN_NODE_ID, markRegionFormed, removeRegionNode } from './dev-state';
import { findFreePorts } from './free-ports';
import { FrontDoor } from './front-door';
import type { PlacedRule } from './link-rule';
import { openLinks } from './open-links';
import type { LinkChoice } from './open-links';
import type { RegionLinks } from './region-links';
import type { RunTool } from './system-tool';

const READY_TIMEOUT_MS = 120_000;
/** For a zone or node started later; it may lack a quorum until others are started too. */
const RESTART_READY_TIMEOUT_MS = 120_000;
/** How long the others wait at most for the metadata nodes to run. */
const HEAD_START_MS = 3_000;
const STOP_TIMEOUT_MS = 8_000;

/** V8 flags by role: a gateway turns over many short-lived buffers. */
const NODE_FLAGS: Readonly<Partial<Record<DevRole, readonly string[]>>> = {
  gateway: ['--max-semi-space-size=64'],
};

export interface DevRegionOptions {
  readonly directory: string;
  readonly plan: Omit<DevRegionPlan, 'ports' | 'nodeDirectory' | 'hostOf' | 'addressMapOf'>;
  /** Links that `setLinks` can hurt. */
  readonly links: LinkChoice;
  readonly runTool: RunTool;
  readonly frontDoorPort: number;
  /** Null without HTTPS. */
  readonly httpsPort: number | null;
  /** Null without a website endpoint. */
  readonly websitePort: number | null;
  readonly reservedPorts: ReadonlySet<number>;
  /** The program: `node main.js`. */
  readonly main: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly random: Random;
  readonly onCrash: (process: DevProcess, how: string) => void;
  readonly onChange: () => void;
}

/** One region: its processes and its front door. */
export class DevRegion {
  readonly name: string;
  readonly #options: DevRegionOptions;
  #plan: DevRegionPlan;
  #processes: readonly DevProcess[];
  readonly #links: RegionLinks | null;
  #frontDoors: readonly FrontDoor[] = [];
  #isStopping = false;

  private constructor(options: DevRegionOptions, plan: DevRegionPlan, links: RegionLinks | null) {
    this.name = plan.name;
    this.#options = options;
    this.#plan = plan;
    this.#links = links;
    this.#processes = plan.nodes.map((node) => this.#makeProcess(node));
  }

  /** Chooses ports and writes the configuration of every process. Starts nothing. */
  static async prepare(options: DevRegionOptions): Promise<DevRegion> {
    const ports = await assignPorts(options.plan.nodes, options);
    const nodeDirectory = (nodeId: string): string => join(options.directory, nodeId);
    const { nodes, name: region } = options.plan;
    const launcherPid = process.pid;
    const links = await openLinks(options.links, { ...options, nodes, region, ports, launcherPid });
    const plan: DevRegionPlan = {
      ...{ ...options.plan, ports, nodeDirectory },
      hostOf: (nodeId) => links?.hostOf(nodeId) ?? LOOPBACK,
      addressMapOf: (nodeId) => links?.addressMapOf(nodeId) ?? {},
    };
    // Nobody suffers from what an earlier start was told.
    for (const { nodeId } of plan.nodes) rmSync(faultsPath(plan, nodeId), { force: true });
    writeConfigs(plan);
    return new DevRegion(options, plan, links);
  }

  get endpoint(): string {
    return `http://${LOOPBACK}:${this.#options.frontDoorPort}`;
  }

  get processCount(): number {
    return this.#processes.length;
  }

  /** Starts everything and the front door; resolves when all are ready. */
  async start(signal: AbortSignal): Promise<void> {
    const { frontDoorPort } = this.#options;
    this.#frontDoors = [await this.#openFrontDoor(frontDoorPort, 'httpPort')];
    for (const [name, port] of extraPorts(this.#options)) {
      this.#frontDoors = [...this.#frontDoors, await this.#openFrontDoor(port, name)];
    }
    await this.#startProcesses(this.#processes);
    await this.#waitReady(this.#processes, READY_TIMEOUT_MS, signal);
    if (!this.#plan.isFormed) this.#noteFormed();
  }

  /** Gateways read identities and certificates again. */
  reload(): void {
    for (const { process } of this.#gateways()) process.reload();
  }

  #openFrontDoor(port: number, portName: 'httpPort' | ExtraPortName): Promise<FrontDoor> {
    return FrontDoor.open(
      { host: LOOPBACK, port },
      this.#gateways().map(({ process }) => ({
        host: this.#plan.hostOf(process.node.nodeId),
        port: this.#port(process.node.nodeId, portName),
        readyUrl: `${process.adminUrl}/readyz`,
      })),
      this.#options.clock,
    );
  }

  #noteFormed(): void {
    markRegionFormed(this.#options.directory);
    this.#follow({ isFormed: true });
  }

  /** Closes everything: first those that use others, then those that hold data. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    for (const door of this.#frontDoors) door.close();
    const users = this.#processes.filter(({ node }) => !isDataRole(node.role));
    const holders = this.#processes.filter(({ node }) => isDataRole(node.role));
    await Promise.all(users.map((process) => process.stop(STOP_TIMEOUT_MS)));
    await Promise.all(holders.map((process) => process.stop(STOP_TIMEOUT_MS)));
    await this.#links?.close();
  }

  /**
   * @throws StoreError NOT_FOUND for an unknown zone or node; UNAVAILABLE when it does not get
   * ready.
   */
  async act(
    action: ControlAction,
    scope: 'zone' | 'node',
    names: readonly string[],
  ): Promise<readonly string[]> {
    const nameOf = ({ node }: DevProcess): string => (scope === 'zone' ? node.zone : node.nodeId);
    const known = new Set(this.#processes.map(nameOf));
    const unknown = names.filter((name) => !known.has(name));
    if (unknown.length > 0) throw new StoreError('NOT_FOUND', { [scope]: unknown.join(', ') });
    const chosen = this.#processes.filter((process) => names.includes(nameOf(process)));
    switch (action) {
      case 'kill':
        await Promise.all(chosen.map((process) => process.kill()));
        break;
      case 'freeze':
        for (const process of chosen) process.freeze();
        break;
      case 'thaw':
        for (const process of chosen) process.thaw();
        break;
      case 'start':
        await this.#startProcesses(chosen);
        await this.#waitReady(
          chosen.filter((process) => process.state !== 'frozen'),
          RESTART_READY_TIMEOUT_MS,
        );
        break;
    }
    return chosen.map(({ node }) => node.nodeId);
  }

  /**
   * Starts one more process. A metadata node waits until `azimuth metadata add` or `replace` takes
   * it in; a storage node joins by itself. Further starts of the region start it too.
   *
   * @throws StoreError UNAVAILABLE when the region has links, has not been ready yet, or the
   *   process does not get ready.
   */
  async addNode(role: AddableRole, zone: string): Promise<readonly string[]> {
    if (this.#links !== null) {
      const hint = 'a cluster that runs with --links cannot grow: its links are made at the start';
      throw new StoreError('UNAVAILABLE', { hint });
    }
    const { directory, clock, reservedPorts } = this.#options;
    const node = await addRegionNode(directory, { role, zone }, clock);
    const taken = [...this.#plan.ports.values()].flatMap((ports) => Object.values(ports));
    const reserved = { reservedPorts: new Set([...reservedPorts, ...taken]) };
    const ports = await assignPorts([node], { ...this.#options, ...reserved });
    this.#follow({
      nodes: [...this.#plan.nodes, node],
      ports: new Map([...this.#plan.ports, ...ports]),
    });
    const process = this.#makeProcess(node);
    this.#processes = [...this.#processes, process];
    process.start();
    await this.#waitReady([process], RESTART_READY_TIMEOUT_MS);
    return [node.nodeId];
  }

  /**
   * Kills a process for good: no start brings it back, and nothing is named like it again. What the
   * cluster knows of it stays: that is the operator's part. Its directory stays too.
   *
   * @throws StoreError NOT_FOUND; INVALID_ARGUMENT for a role that stays.
   */
  async removeNode(name: string): Promise<readonly string[]> {
    const process = this.#processes.find(({ node }) => node.nodeId === name);
    if (process === undefined) throw new StoreError('NOT_FOUND', { node: name });
    if (!isDataRole(process.node.role)) {
      throw new StoreError('INVALID_ARGUMENT', { reason: 'only metadata and storage nodes go' });
    }
    removeRegionNode(this.#options.directory, name);
    this.#follow({ nodes: this.#plan.nodes.filter(({ nodeId }) => nodeId !== name) });
    this.#processes = this.#processes.filter((each) => each !== process);
    await process.kill();
    return [name];
  }

  /**
   * Starts those that do not run. Metadata nodes go first: everybody else has to ask them, and they
   * hold their election while the others load, instead of competing with them for the processor.
   */
  async #startProcesses(processes: readonly DevProcess[]): Promise<void> {
    const stopped = processes.filter(({ state }) => state === 'stopped');
    const metadata = stopped.filter(({ node }) => node.role === 'metadata');
    for (const process of metadata) process.start();
    await Promise.all(metadata.map((process) => process.waitLive(HEAD_START_MS)));
    if (this.#isStopping) return;
    for (const process of stopped) if (!metadata.includes(process)) process.start();
  }

  #follow(change: Partial<DevRegionPlan>): void {
    this.#plan = { ...this.#plan, ...change };
    writeConfigs(this.#plan);
  }

  /**
   * @throws StoreError UNAVAILABLE when the region was started without links; NOT_FOUND for an
   *   unknown place; INVALID_ARGUMENT.
   */
  async setLinks(rules: readonly PlacedRule[]): Promise<void> {
    if (this.#links === null) throw new StoreError('UNAVAILABLE', { hint: 'start with --links' });
    await this.#links.set(rules);
  }

  /** @throws StoreError UNAVAILABLE when the region was started without links. */
  async healLinks(): Promise<void> {
    if (this.#links === null) throw new StoreError('UNAVAILABLE', { hint: 'start with --links' });
    await this.#links.heal();
  }

  /**
   * Tells nodes what to suffer; they notice within a quarter of a second.
   *
   * @throws StoreError UNAVAILABLE when the region was started without faults; NOT_FOUND.
   */
  setFaults(names: readonly string[], faults: Faults): readonly string[] {
    if (!this.#plan.withFaults) {
      throw new StoreError('UNAVAILABLE', { hint: 'start with --faults' });
    }
    const nodes = this.#plan.nodes.map(({ nodeId }) => nodeId);
    const unknown = names.filter((name) => !nodes.includes(name));
    if (unknown.length > 0) throw new StoreError('NOT_FOUND', { node: unknown.join(', ') });
    for (const name of names) writeJsonAtomically(faultsPath(this.#plan, name), faults, 0o600);
    return names;
  }

  describe(): RegionDocument {
    return {
      name: this.name,
      endpoint: this.endpoint,
      ...(this.#options.httpsPort === null
        ? {}
        : { httpsEndpoint: `https://${LOOPBACK}:${this.#options.httpsPort}` }),
      ...(this.#options.websitePort === null
        ? {}
        : { websiteEndpoint: `http://${LOOPBACK}:${this.#options.websitePort}` }),
      gateways: this.#gateways().map(({ process, httpPort }) => ({
        zone: process.node.zone,
        url: `http://${this.#plan.hostOf(process.node.nodeId)}:${httpPort}`,
      })),
      hasLinks: this.#links !== null,
      canDelayLinks: this.#links?.canDelay ?? false,
      hasFaults: this.#plan.withFaults,
      accessKey: this.#plan.accessKey,
      secretKey: this.#plan.secretKey,
      processes: this.#processes.flatMap((process) => {
        const { pid, state } = process;
        if (pid === null || state === 'stopped') return [];
        const { role, zone, nodeId } = process.node;
        const rpcPort = this.#plan.ports.get(nodeId)?.['rpcPort'];
        const rpc =
          rpcPort === undefined
            ? {}
            : { rpc: `${this.#plan.hostOf(process.node.nodeId)}:${rpcPort}` };
        return [{ role, zone, pid, admin: process.adminUrl, ...rpc, node: nodeId, state }];
      }),
    };
  }

  /**
   * All processes, also those that are down: a target that cannot be scraped is what alerts see.
   */
  prometheusTargets(): PrometheusTarget[] {
    return this.#processes.map((process) => ({
      targets: [new URL(process.adminUrl).host],
      labels: {
        region: this.name,
        zone: process.node.zone,
        role: process.node.role,
        node: process.node.nodeId,
      },
    }));
  }

  #makeProcess(node: DevNode): DevProcess {
    const { main, env, clock, onCrash, onChange } = this.#options;
    const directory = this.#plan.nodeDirectory(node.nodeId);
    return new DevProcess({
      node,
      configFile: join(directory, 'config.json'),
      logFile: join(directory, 'log'),
      host: this.#plan.hostOf(node.nodeId),
      adminPort: this.#port(node.nodeId, 'adminPort'),
      command: [
        ...(this.#links?.commandPrefixOf(node.nodeId) ?? []),
        ...[process.execPath, ...(NODE_FLAGS[node.role] ?? []), main],
      ],
      env,
      clock,
      onCrash,
      onChange,
    });
  }

  #gateways(): { readonly process: DevProcess; readonly httpPort: number }[] {
    return this.#processes
      .filter(({ node }) => node.role === 'gateway')
      .map((process) => ({ process, httpPort: this.#port(process.node.nodeId, 'httpPort') }));
  }

  #port(nodeId: string, name: string): number {
    const port = this.#plan.ports.get(nodeId)?.[name];
    if (port === undefined) throw new StoreError('INTERNAL', { nodeId, name });
    return port;
  }

  async #waitReady(
    processes: readonly DevProcess[],
    timeoutMs: number,
    signal?: AbortSignal,
  ): Promise<void> {
    const isReady = await Promise.all(
      processes.map((process) =>
        // It may wait for `azimuth metadata add`, today or at a later start.
        process.node.role === 'metadata' && process.node.isAdded === true
          ? process.waitLive(timeoutMs, signal)
          : process.waitReady(timeoutMs, signal),
      ),
    );
    const late = processes.filter((_process, i) => isReady[i] !== true);
    if (late.length === 0) return;
    throw new StoreError('UNAVAILABLE', {
      notReady: late.map(({ node }) => node.nodeId).join(', '),
      logs: late.map(({ logFile }) => logFile).join(', '),
    });
  }
}

/** For the next start of every process, be it by this launcher or by another. */
function writeConfigs(plan: DevRegionPlan): void {
  const admin = { ...sharedConfig(plan, ADMIN_NODE_ID, 'none'), logLevel: 'silent' };
  const configs = [
    ...plan.nodes.map((node) => [node.nodeId, nodeConfig(plan, node)] as const),
    [ADMIN_NODE_ID, admin] as const,
  ];
  for (const [nodeId, config] of configs) {
    const directory = plan.nodeDirectory(nodeId);
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    writeJsonAtomically(join(directory, 'config.json'), config, 0o600);
  }
}

function isDataRole(role: DevRole): boolean {
  return role === 'metadata' || role === 'storage';
}

function extraPorts({
  httpsPort,
  websitePort,
}: DevRegionOptions): readonly (readonly [name: ExtraPortName, port: number])[] {
  const all = [
    ['httpsPort', httpsPort],
    ['websitePort', websitePort],
  ] as const;
  return all.flatMap(([name, port]) => (port === null ? [] : [[name, port] as const]));
}

async function assignPorts(
  nodes: readonly DevNode[],
  options: DevRegionOptions,
): Promise<Map<string, DevPorts>> {
  const extra = extraPorts(options).map(([name]) => name);
  const wanted = nodes.flatMap((node) =>
    portNames(node.role, extra).map((name) => ({ nodeId: node.nodeId, name })),
  );
  const free = await findFreePorts(wanted.length, {
    host: LOOPBACK,
    reserved: options.reservedPorts,
    random: options.random,
  });
  const ports = new Map<string, Record<string, number>>();
  wanted.forEach(({ nodeId, name }, i) => {
    const port = free[i];
    if (port !== undefined) ports.set(nodeId, { ...ports.get(nodeId), [name]: port });
  });
  return ports;
}
