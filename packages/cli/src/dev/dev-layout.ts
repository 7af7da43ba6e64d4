import { StoreError } from '@azimuth/common';
import type { MetadataPeer } from '@azimuth/common';
import { SHARDS_PER_BLOB_MAX } from '@azimuth/placement';
import type { Profile } from '@azimuth/placement';
import type { Role } from '@azimuth/rpc';

/** What can run in a development cluster; `admin` is the command line itself. */
export type DevRole = Exclude<Role, 'admin'>;

export const LOOPBACK = '127.0.0.1';
export const ZONES_MAX = 7;
export const STORAGE_PER_ZONE_MAX = 16;
/** The second region's front door is this far above the first one's. */
export const REGION_PORT_STEP = 100;

const REGION_NAMES = ['us-east-1', 'us-west-2'] as const;

/** Fixed when a region's directory is made: zones and nodes own data. */
export interface DevShape {
  readonly zones: number;
  readonly storagePerZone: number;
  readonly indexGroups: number;
}

/** One process of a region. */
export interface DevNode {
  readonly nodeId: string;
  readonly role: DevRole;
  readonly zone: string;
  /** Not one of those that founded the region: `azimuth dev node add` brought it. */
  readonly isAdded?: boolean;
}

/** What `azimuth dev node add` can add: gateways are known to the front door from its start. */
export const ADDABLE_ROLES = ['metadata', 'storage'] as const satisfies readonly DevRole[];
export type AddableRole = (typeof ADDABLE_ROLES)[number];

/** The ports of one process, by the names that its configuration has for them. */
export type DevPorts = Readonly<Record<string, number>>;

const PORT_NAMES: Readonly<Record<DevRole, readonly string[]>> = {
  metadata: ['rpcPort', 'adminPort'],
  storage: ['rpcPort', 'bulkPort', 'adminPort'],
  gateway: ['httpPort', 'adminPort'],
  curator: ['adminPort'],
};

export function regionName(index: number): string {
  const name = REGION_NAMES[index];
  if (name === undefined)
    throw new StoreError('INVALID_ARGUMENT', { regionsMax: REGION_NAMES.length });
  return name;
}

/** Zones are `a`, `b`, `c`, … */
export function zoneNames(shape: DevShape): string[] {
  return Array.from({ length: shape.zones }, (_, i) => String.fromCharCode('a'.charCodeAt(0) + i));
}

interface Profiles {
  readonly erasureProfile: Profile;
  readonly replicaProfile: Profile;
}

/**
 * Profiles for one disk a node. With two zones or more every shape survives the loss of one zone:
 * parity for all the shards that a zone holds. Three zones with two nodes each: 4+2 and three
 * copies.
 */
export function defaultProfiles({ zones, storagePerZone }: DevShape): Profiles {
  if (zones === 1) {
    const parity = Math.min(storagePerZone - 1, 2);
    return {
      erasureProfile: { k: Math.max(1, Math.min(storagePerZone, 6) - parity), m: parity },
      replicaProfile: { k: 1, m: parity },
    };
  }
  const perZone = Math.min(storagePerZone, Math.floor(SHARDS_PER_BLOB_MAX / zones), 4);
  return {
    erasureProfile: { k: (zones - 1) * perZone, m: perZone },
    replicaProfile: { k: 1, m: Math.min(zones, 3) - 1 },
  };
}

/**
 * Every process that founds a region: per zone one metadata node, storage nodes, one gateway, one
 * curator.
 */
export function devNodes(shape: DevShape): DevNode[] {
  return zoneNames(shape).flatMap((zone) => [
    { nodeId: `${zone}-metadata-1`, role: 'metadata' as const, zone },
    ...Array.from({ length: shape.storagePerZone }, (_, i) => ({
      nodeId: `${zone}-storage-${i + 1}`,
      role: 'storage' as const,
      zone,
    })),
    { nodeId: `${zone}-gateway-1`, role: 'gateway' as const, zone },
    { nodeId: `${zone}-curator-1`, role: 'curator' as const, zone },
  ]);
}

/** What a gateway listens to besides HTTP when it is asked to. */
export type ExtraPortName = 'httpsPort' | 'websitePort';

/** @param extra of gateways. */
export function portNames(role: DevRole, extra: readonly ExtraPortName[] = []): readonly string[] {
  return role === 'gateway' ? [...PORT_NAMES.gateway, ...extra] : PORT_NAMES[role];
}

/** What the gateways of a region have beyond the defaults. */
export interface DevGatewaySettings {
  /** PEM files for HTTPS; null without it. */
  readonly certificate: { readonly certificateFile: string; readonly keyFile: string } | null;
  readonly identitiesFile: string | null;
  readonly allowSignatureV2: boolean;
}

/** Everything the configuration files of one region are made from. */
export interface DevRegionPlan {
  readonly name: string;
  readonly clusterId: string;
  readonly shape: DevShape;
  /** Every process that runs. */
  readonly nodes: readonly DevNode[];
  readonly accessKey: string;
  readonly secretKey: string;
  readonly bulkMode: 'crc' | 'secure';
  readonly logLevel: string;
  readonly gateway: DevGatewaySettings;
  readonly ports: ReadonlyMap<string, DevPorts>;
  /**
   * The region has been ready once. From then on a metadata node without data is one that lost it,
   * and must not vote as if it were new (pitfall 17).
   */
  readonly isFormed: boolean;
  /** By role, then key; applied last. */
  readonly overrides: Readonly<Partial<Record<DevRole, Readonly<Record<string, unknown>>>>>;
  /** The address that a node listens on. */
  readonly hostOf: (nodeId: string) => string;
  /** Where a node reaches others when not where they are: through links. */
  readonly addressMapOf: (nodeId: string) => Readonly<Record<string, string>>;
  /** Every process obeys the `faults.json` in its directory. */
  readonly withFaults: boolean;
  /** `nodeDirectory(nodeId)` is where a node keeps everything. */
  readonly nodeDirectory: (nodeId: string) => string;
}

export function metadataPeers(plan: DevRegionPlan): MetadataPeer[] {
  return plan.nodes
    .filter((node) => node.role === 'metadata')
    .map(({ nodeId, zone }) => ({
      nodeId,
      zone,
      host: plan.hostOf(nodeId),
      port: requiredPort(plan, nodeId, 'rpcPort'),
    }));
}

function requiredPort(plan: DevRegionPlan, nodeId: string, name: string): number {
  const port = plan.ports.get(nodeId)?.[name];
  if (port === undefined) throw new StoreError('INTERNAL', { nodeId, name });
  return port;
}

/** The settings that every process of a region shares. */
export function sharedConfig(
  plan: DevRegionPlan,
  nodeId: string,
  zone: string,
): Record<string, unknown> {
  return {
    clusterId: plan.clusterId,
    nodeId,
    zone,
    host: plan.hostOf(nodeId),
    tlsDirectory: `${plan.nodeDirectory(nodeId)}/tls`,
    metadataPeers: metadataPeers(plan),
    bulkMode: plan.bulkMode,
    logLevel: plan.logLevel,
    region: plan.name,
  };
}

/** The configuration file of one process. */
export function nodeConfig(plan: DevRegionPlan, node: DevNode): Record<string, unknown> {
  return {
    ...sharedConfig(plan, node.nodeId, node.zone),
    addressMap: plan.addressMapOf(node.nodeId),
    ...(plan.withFaults ? { faultsFile: faultsPath(plan, node.nodeId) } : {}),
    ...plan.ports.get(node.nodeId),
    ...roleConfig(plan, node),
    ...plan.overrides[node.role],
  };
}

/** What a node is told to suffer, when the region was started with faults. */
export function faultsPath(plan: DevRegionPlan, nodeId: string): string {
  return `${plan.nodeDirectory(nodeId)}/faults.json`;
}

function roleConfig(plan: DevRegionPlan, node: DevNode): Record<string, unknown> {
  const directory = plan.nodeDirectory(node.nodeId);
  switch (node.role) {
    case 'metadata':
      return {
        dataDirectory: `${directory}/data`,
        whenEmpty: meaningOfEmptyLog(plan, node),
        zones: zoneNames(plan.shape),
        indexGroups: plan.shape.indexGroups,
        ...defaultProfiles(plan.shape),
      };
    case 'storage':
      return { dataDirectory: `${directory}/data`, diskPaths: [`${directory}/disk-1`] };
    case 'gateway':
      return {
        accessKey: plan.accessKey,
        secretKey: plan.secretKey,
        ...(plan.withFaults ? { tellsLogPositions: true } : {}),
        ...gatewaySettings(plan.gateway),
      };
    case 'curator':
      return {};
  }
}

/** A name that is added later must never stand for two logs: its node is replaced instead. */
function meaningOfEmptyLog({ isFormed }: DevRegionPlan, { isAdded = false }: DevNode): string {
  if (isAdded) return 'join';
  return isFormed ? 'rejoin' : 'bootstrap';
}

function gatewaySettings(settings: DevGatewaySettings): Record<string, unknown> {
  const { certificate, identitiesFile, allowSignatureV2 } = settings;
  return {
    ...(certificate === null
      ? {}
      : { httpsCertificate: certificate.certificateFile, httpsKey: certificate.keyFile }),
    ...(identitiesFile === null ? {} : { identitiesFile }),
    ...(allowSignatureV2 ? { allowSignatureV2 } : {}),
  };
}
