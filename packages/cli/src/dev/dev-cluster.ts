import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';

import { StoreError } from '@azimuth/common';
import type { Clock, Random } from '@azimuth/common';

import { ensureServerCertificate } from './dev-certificate';
import { clusterDocumentPath, readClusterDocument, writeJsonAtomically } from './cluster-document';
import type { ClusterDocument } from './cluster-document';
import { openControlSocket } from './control-socket';
import type { ControlRequest } from './control-socket';
import { LOOPBACK, REGION_PORT_STEP, regionName } from './dev-layout';
import type { DevGatewaySettings, DevRegionPlan, DevShape } from './dev-layout';
import type { DevProcess } from './dev-process';
import { DevRegion } from './dev-region';
import { nodesOf, openRegionState } from './dev-state';
import { isPortFree } from './free-ports';
import { removeAbandonedNetns } from './netns-links';
import { chooseLinks } from './open-links';
import type { LinkChoice, LinkKind } from './open-links';
import type { RootCredentials } from './root-credentials';
import type { RunTool } from './system-tool';

const LEFTOVER_TIMEOUT_MS = 5_000;
const LEFTOVER_POLL_MS = 50;
const NETNS_NOTE = 'links are cables between network namespaces, one a node';

/** What is asked of the gateways. */
export interface DevGatewayOptions {
  /** HTTPS beside HTTP; null for none. Further regions have it `REGION_PORT_STEP` higher. */
  readonly httpsPort: number | null;
  /** Buckets as websites; null for none. Further regions have it as much higher. */
  readonly websitePort: number | null;
  /** PEM files; null for a certificate of the region's own authority. */
  readonly certificate: DevGatewaySettings['certificate'];
  readonly identitiesFile: string | null;
  readonly allowSignatureV2: boolean;
}

export interface DevClusterOptions {
  readonly directory: string;
  readonly port: number;
  readonly regions: number;
  readonly shape: Partial<DevShape>;
  readonly credentials: Partial<RootCredentials>;
  readonly bulkMode: 'crc' | 'secure';
  readonly logLevel: string;
  readonly gateway: DevGatewayOptions;
  readonly overrides: DevRegionPlan['overrides'];
  /** Null: links are as they are, and cannot be hurt. */
  readonly links: LinkKind | null;
  readonly runTool: RunTool;
  /** See `DevRegionPlan`. */
  readonly withFaults: boolean;
  /** Path of the program that runs a role: `node main <role> --config FILE`. */
  readonly main: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly random: Random;
  readonly print: (line: string) => void;
}

/**
 * The launcher of a development cluster. It starts every process, tells machines about them in
 * `cluster.json`, does what the control socket asks, and restarts nothing by itself.
 */
export class DevCluster {
  readonly #options: DevClusterOptions;
  readonly #directory: string;
  readonly #regions: DevRegion[] = [];
  readonly #abort = new AbortController();
  #control: { close(): void } | null = null;
  #isReady = false;
  #isGone = false;
  #stopping: Promise<void> | null = null;

  constructor(options: DevClusterOptions) {
    this.#options = options;
    this.#directory = resolve(options.directory);
  }

  get regions(): readonly DevRegion[] {
    return this.#regions;
  }

  /**
   * Starts everything and resolves when all of it is ready.
   *
   * @throws StoreError ALREADY_EXISTS (a cluster runs there), UNAVAILABLE (a port is taken, a
   * process
   *   does not get ready; everything started is stopped again), INVALID_ARGUMENT.
   */
  async start(): Promise<void> {
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
    this.#control = await openControlSocket(this.#directory, (request) => this.#act(request));
    try {
      await this.#removeLeftovers();
      const links = await this.#chooseLinks();
      for (let i = 0; i < this.#options.regions; i += 1) await this.#prepareRegion(i, links);
      this.#writeTargets();
      this.#writeDocument();
      await Promise.all(this.#regions.map((region) => region.start(this.#abort.signal)));
      if (this.#abort.signal.aborted) throw new StoreError('CANCELLED');
      this.#isReady = true;
      this.#writeDocument();
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  /** Gateways read identities and certificates again. */
  reload(): void {
    for (const region of this.#regions) region.reload();
  }

  /** Stops everything; the data stays. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stopAll();
    return this.#stopping;
  }

  async #stopAll(): Promise<void> {
    this.#abort.abort();
    this.#isReady = false;
    if (this.#regions.length > 0) this.#writeDocument();
    await Promise.all(this.#regions.map((region) => region.stop()));
    this.#isGone = true;
    rmSync(clusterDocumentPath(this.#directory), { force: true });
    this.#control?.close();
  }

  async #chooseLinks(): Promise<LinkChoice> {
    const { links, runTool, print } = this.#options;
    const launcherPid = process.pid;
    const choice = await chooseLinks(links, { runTool, launcherPid });
    if (choice.kind === 'none') return choice;
    print(choice.kind === 'proxy' ? `links are proxies (${choice.because})` : NETNS_NOTE);
    if (choice.kind === 'netns') {
      const isAlive = (pid: number): boolean => pid !== launcherPid && existsSync(`/proc/${pid}`);
      await removeAbandonedNetns(runTool, isAlive);
    }
    return choice;
  }

  async #prepareRegion(index: number, links: LinkChoice): Promise<void> {
    const { port, regions, shape, credentials, bulkMode, logLevel, overrides } = this.#options;
    const { clock, random, gateway, withFaults } = this.#options;
    const frontDoorPorts = Array.from({ length: regions }, (_, i) => port + i * REGION_PORT_STEP);
    const frontDoorPort = port + index * REGION_PORT_STEP;
    const portsFrom = (first: number | null): readonly number[] =>
      first === null ? [] : frontDoorPorts.map((each) => each - port + first);
    const httpsPorts = portsFrom(gateway.httpsPort);
    const websitePorts = portsFrom(gateway.websitePort);
    const httpsPort = httpsPorts[index] ?? null;
    const websitePort = websitePorts[index] ?? null;
    await requireFreePort(frontDoorPort, '--port');
    if (httpsPort !== null) await requireFreePort(httpsPort, '--https-port');
    if (websitePort !== null) await requireFreePort(websitePort, '--website-port');
    const name = regionName(index);
    const directory = join(this.#directory, name);
    const state = await openRegionState(directory, { shape, credentials }, { clock, random });
    const certificate =
      httpsPort === null
        ? null
        : (gateway.certificate ?? (await ensureServerCertificate(directory, clock)));
    const { identitiesFile, allowSignatureV2 } = gateway;
    const settings: DevGatewaySettings = { certificate, identitiesFile, allowSignatureV2 };
    const region = await DevRegion.prepare({
      directory,
      plan: {
        ...{ ...state, nodes: nodesOf(state), name, bulkMode, logLevel, overrides, withFaults },
        gateway: settings,
      },
      links,
      runTool: this.#options.runTool,
      frontDoorPort,
      httpsPort,
      websitePort,
      reservedPorts: new Set([
        ...frontDoorPorts,
        ...httpsPorts,
        ...websitePorts,
        ...this.#portsInUse(),
      ]),
      main: this.#options.main,
      env: this.#options.env,
      clock,
      random,
      onCrash: (process, how) => this.#printCrash(process, how),
      onChange: () => this.#writeDocument(),
    });
    this.#regions.push(region);
  }

  #portsInUse(): number[] {
    return this.#regions.flatMap((region) => {
      const urls = [
        ...region.prometheusTargets().flatMap(({ targets }) => targets.map((t) => `http://${t}`)),
        ...region.describe().gateways.map(({ url }) => url),
      ];
      return urls.map((url) => Number(new URL(url).port));
    });
  }

  async #act(request: ControlRequest): Promise<readonly string[]> {
    if (request.action === 'ping') return [];
    const { region: name } = request;
    const region =
      name === null ? this.#regions[0] : this.#regions.find((candidate) => candidate.name === name);
    if (region === undefined) throw new StoreError('NOT_FOUND', { region: name ?? 'none yet' });
    this.#options.print(`${describeRequest(request)} (${region.name})`);
    switch (request.action) {
      case 'set-links':
        await region.setLinks(request.rules);
        return [];
      case 'heal-links':
        await region.healLinks();
        return [];
      case 'set-faults':
        return region.setFaults(request.names, request.faults);
      case 'add-node':
      case 'remove-node':
        return this.#changeNodes(region, request);
      default:
        return region.act(request.action, request.scope, request.names);
    }
  }

  async #changeNodes(
    region: DevRegion,
    request: Extract<ControlRequest, { action: 'add-node' | 'remove-node' }>,
  ): Promise<readonly string[]> {
    try {
      return request.action === 'add-node'
        ? await region.addNode(request.role, request.zone)
        : await region.removeNode(request.name);
    } finally {
      this.#writeTargets();
    }
  }

  #writeDocument(): void {
    if (this.#isGone) return;
    const document: ClusterDocument = {
      ready: this.#isReady,
      launcherPid: process.pid,
      regions: this.#regions.map((region) => region.describe()),
    };
    writeJsonAtomically(clusterDocumentPath(this.#directory), document, 0o600);
  }

  #writeTargets(): void {
    const targets = this.#regions.flatMap((region) => region.prometheusTargets());
    writeJsonAtomically(join(this.#directory, 'prometheus-targets.json'), targets, 0o644);
  }

  #printCrash({ node, logFile }: DevProcess, how: string): void {
    this.#options.print(`${node.nodeId} ended by itself (${how}); its log: ${logFile}`);
    const lines = existsSync(logFile) ? readFileSync(logFile, 'utf8').trimEnd().split('\n') : [];
    for (const line of lines.slice(-5)) this.#options.print(`  ${line.slice(0, 500)}`);
  }

  /**
   * Processes of a launcher that was killed end by themselves, unless they are frozen. Two
   * processes on one data directory must never be, so we wait for them, then kill them.
   */
  async #removeLeftovers(): Promise<void> {
    if (!existsSync(clusterDocumentPath(this.#directory))) return;
    const { regions } = readClusterDocument(this.#directory);
    const pids = regions
      .flatMap(({ processes }) => processes.map(({ pid }) => pid))
      .filter((pid) => this.#isOurs(pid));
    const deadlineMs = this.#options.clock.monotonicMs() + LEFTOVER_TIMEOUT_MS;
    let alive = pids;
    while (alive.length > 0) {
      if (this.#options.clock.monotonicMs() > deadlineMs) {
        this.#options.print(`killing ${alive.length} processes of an earlier launcher`);
        for (const pid of alive) killIfAlive(pid);
      }
      await this.#options.clock.sleep(LEFTOVER_POLL_MS);
      alive = alive.filter((pid) => this.#isOurs(pid));
    }
  }

  /** True when `pid` runs with a configuration file of this directory; process ids are reused. */
  #isOurs(pid: number): boolean {
    try {
      const args = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
      return args.some((arg) => arg.startsWith(`${this.#directory}/`));
    } catch {
      return false;
    }
  }
}

function describeRequest(request: ControlRequest): string {
  switch (request.action) {
    case 'set-links':
      return `links ${request.rules.map(({ from, to }) => `${from}->${to}`).join(' ')}`;
    case 'heal-links':
      return 'links healed';
    case 'add-node':
      return `add a ${request.role} node in zone ${request.zone}`;
    case 'remove-node':
      return `remove ${request.name}`;
    case 'set-faults':
      return `faults of ${request.names.join(' ')}: ${JSON.stringify(request.faults)}`;
    default:
      return `${request.action} ${request.scope} ${request.names.join(' ')}`;
  }
}

function killIfAlive(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended meanwhile.
  }
}

async function requireFreePort(port: number, flag: string): Promise<void> {
  if (await isPortFree(LOOPBACK, port)) return;
  throw new StoreError('UNAVAILABLE', { port, hint: `in use; see ${flag}` });
}
