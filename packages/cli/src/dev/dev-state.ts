import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { createAuthority, issueCertificate } from '@azimuth/rpc';
import type { AuthorityMaterial, Role } from '@azimuth/rpc';
import { StoreError } from '@azimuth/common';
import type { Clock, Random } from '@azimuth/common';

import { writeJsonAtomically } from './cluster-document';
import { devNodes, LOOPBACK } from './dev-layout';
import type { AddableRole, DevNode, DevShape } from './dev-layout';
import { checkCredentials, generateCredentials } from './root-credentials';
import type { RootCredentials } from './root-credentials';

const PRIVATE_FILE = 0o600;
const PRIVATE_DIRECTORY = 0o700;
const SHAPE_DEFAULT: DevShape = { zones: 3, storagePerZone: 2, indexGroups: 1 };
/** From so many storage nodes on, one group would be the bottleneck: there is one a zone. */
const STORAGE_NODES_OF_MANY_GROUPS = 9;
export const ADMIN_NODE_ID = 'admin';

/** What a region's directory remembers between starts, in `DIR/<region>/region.json`. */
export interface RegionState extends RootCredentials {
  readonly clusterId: string;
  readonly shape: DevShape;
  /** See `DevRegionPlan`. */
  readonly isFormed: boolean;
  /** Processes that came later, in the order in which they did. */
  readonly added: readonly DevNode[];
  /** Names of processes that do not run any more, and are never given again. */
  readonly removed: readonly string[];
}

/**
 * Reads the state of a region, or makes it: cluster id, credentials, a CA and one certificate a
 * node. Credentials given now replace those kept.
 *
 * @throws StoreError INVALID_ARGUMENT for guessable credentials, or a shape other than the one that
 *   the data in the directory was written with.
 */
export async function openRegionState(
  directory: string,
  requested: { readonly shape: Partial<DevShape>; readonly credentials: Partial<RootCredentials> },
  sources: { readonly clock: Clock; readonly random: Random },
): Promise<RegionState> {
  mkdirSync(directory, { recursive: true, mode: PRIVATE_DIRECTORY });
  const path = statePath(directory);
  const kept = existsSync(path) ? readState(path) : undefined;
  if (kept !== undefined) refuseOtherShape(kept.shape, requested.shape);
  const state: RegionState = {
    ...generateCredentials(sources.random),
    clusterId: sources.random.bytes(16).toString('hex'),
    shape: defaultShape(requested.shape),
    isFormed: false,
    added: [],
    removed: [],
    ...kept,
    ...requested.credentials,
  };
  checkCredentials(state);
  // First the cluster id, then certificates that name it: a start that dies between can be
  // repeated.
  writeJsonAtomically(path, state, PRIVATE_FILE);
  await ensureIdentities(directory, state, sources.clock);
  return state;
}

/** Every process that runs in a region. */
export function nodesOf({ shape, added, removed }: RegionState): readonly DevNode[] {
  return [...devNodes(shape), ...added].filter(({ nodeId }) => !removed.includes(nodeId));
}

/**
 * Remembers one more process of the region, under a name that none had before, and makes its
 * certificate.
 *
 * @throws StoreError UNAVAILABLE before the region was ready once: until then, who is there founds
 *   it.
 */
export async function addRegionNode(
  directory: string,
  { role, zone }: { readonly role: AddableRole; readonly zone: string },
  clock: Clock,
): Promise<DevNode> {
  const state = readState(statePath(directory));
  if (!state.isFormed) throw new StoreError('UNAVAILABLE', { hint: 'the cluster is not ready' });
  const taken = new Set([...devNodes(state.shape), ...state.added].map(({ nodeId }) => nodeId));
  for (const nodeId of state.removed) taken.add(nodeId);
  let number = 1;
  while (taken.has(`${zone}-${role}-${number}`)) number += 1;
  const node: DevNode = { nodeId: `${zone}-${role}-${number}`, role, zone, isAdded: true };
  const next = { ...state, added: [...state.added, node] };
  writeJsonAtomically(statePath(directory), next, PRIVATE_FILE);
  await ensureIdentities(directory, next, clock);
  return node;
}

/** Remembers that a process of the region does not run any more. */
export function removeRegionNode(directory: string, nodeId: string): void {
  const state = readState(statePath(directory));
  const added = state.added.filter((node) => node.nodeId !== nodeId);
  const next = { ...state, added, removed: [...state.removed, nodeId] };
  writeJsonAtomically(statePath(directory), next, PRIVATE_FILE);
}

/** Remembers that the region has been ready once. */
export function markRegionFormed(directory: string): void {
  const path = statePath(directory);
  writeJsonAtomically(path, { ...readState(path), isFormed: true }, PRIVATE_FILE);
}

function defaultShape(requested: Partial<DevShape>): DevShape {
  const { zones, storagePerZone } = { ...SHAPE_DEFAULT, ...requested };
  const isMany = zones * storagePerZone >= STORAGE_NODES_OF_MANY_GROUPS;
  return { zones, storagePerZone, indexGroups: isMany ? zones : 1, ...requested };
}

function statePath(directory: string): string {
  return join(directory, 'region.json');
}

function readState(path: string): RegionState {
  // Directories of before nodes could be added say nothing about it.
  const kept = JSON.parse(readFileSync(path, 'utf8')) as Omit<RegionState, 'added' | 'removed'>;
  return { added: [], removed: [], ...kept };
}

function refuseOtherShape(kept: DevShape, requested: Partial<DevShape>): void {
  for (const name of ['zones', 'storagePerZone', 'indexGroups'] as const) {
    const wanted = requested[name];
    if (wanted !== undefined && wanted !== kept[name]) {
      throw new StoreError('INVALID_ARGUMENT', {
        [name]: wanted,
        kept: kept[name],
        hint: 'the data directory was made with another value; use another directory',
      });
    }
  }
}

async function ensureIdentities(
  directory: string,
  state: RegionState,
  clock: Clock,
): Promise<void> {
  const authority = await ensureAuthority(join(directory, 'authority'), state.clusterId, clock);
  const nodes: { nodeId: string; role: Role; zone: string }[] = [
    ...nodesOf(state),
    { nodeId: ADMIN_NODE_ID, role: 'admin', zone: 'none' },
  ];
  for (const { nodeId, role, zone } of nodes) {
    const tlsDirectory = join(directory, nodeId, 'tls');
    if (existsSync(join(tlsDirectory, 'node-key.pem'))) continue;
    mkdirSync(tlsDirectory, { recursive: true, mode: PRIVATE_DIRECTORY });
    const identity = { clusterId: state.clusterId, nodeId, role, zone };
    const tls = await issueCertificate(authority, { identity, addresses: [LOOPBACK] }, clock);
    writeFileSync(join(tlsDirectory, 'ca.pem'), tls.caPem);
    writeFileSync(join(tlsDirectory, 'node.pem'), tls.certPem);
    // Last: its presence says that the identity is complete.
    writePrivate(join(tlsDirectory, 'node-key.pem'), tls.keyPem);
  }
}

async function ensureAuthority(
  directory: string,
  clusterId: string,
  clock: Clock,
): Promise<AuthorityMaterial> {
  const certPath = join(directory, 'ca.pem');
  const keyPath = join(directory, 'ca-key.pem');
  if (existsSync(keyPath)) {
    return { certPem: readFileSync(certPath, 'utf8'), keyPem: readFileSync(keyPath, 'utf8') };
  }
  mkdirSync(directory, { recursive: true, mode: PRIVATE_DIRECTORY });
  const authority = await createAuthority(clusterId, clock);
  writeFileSync(certPath, authority.certPem);
  writePrivate(keyPath, authority.keyPem);
  return authority;
}

function writePrivate(path: string, content: string | Buffer): void {
  writeFileSync(path, content, { mode: PRIVATE_FILE });
  // `mode` is ignored for a file that exists.
  chmodSync(path, PRIVATE_FILE);
}
