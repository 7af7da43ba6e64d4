import { existsSync } from 'node:fs';
import { join } from 'node:path';

import { createClusterView, createMetadataClient } from '@azimuth/clients';
import type { ClusterView, MetadataAdministration } from '@azimuth/clients';
import { NODE_CONFIG_SHAPE, parseConfig, silentLogger, StoreError } from '@azimuth/common';
import type { Clock, MetadataPeer, Random } from '@azimuth/common';
import type { ClusterMap } from '@azimuth/placement';
import { loadTlsMaterial } from '@azimuth/rpc';
import { z } from 'zod';

import { readClusterDocument } from './dev/cluster-document';
import { ADMIN_NODE_ID } from './dev/dev-state';
import { createStorageInspector } from './storage-inspector';
import type { StorageInspector } from './storage-inspector';

const adminConfigSchema = z.object({
  clusterId: NODE_CONFIG_SHAPE.clusterId,
  tlsDirectory: NODE_CONFIG_SHAPE.tlsDirectory,
  metadataPeers: NODE_CONFIG_SHAPE.metadataPeers,
});

const VIEW_POLL_MS = 200;

/** How a command finds the cluster: a development cluster's directory, or an admin's settings. */
export interface ClusterLocation {
  readonly data?: string | undefined;
  readonly region?: string | undefined;
  readonly config?: string | undefined;
}

/** The cluster as the `admin` identity reaches it. */
export interface ClusterAccess {
  readonly metadata: MetadataAdministration;
  readonly view: ClusterView;
  readonly storage: StorageInspector;
  readonly metadataPeers: readonly MetadataPeer[];
  /** Null when no root leader answers in time. */
  map(timeoutMs: number): Promise<ClusterMap | null>;
  close(): Promise<void>;
}

/** @throws StoreError NOT_FOUND, INVALID_ARGUMENT, UNAUTHENTICATED */
export function openCluster(
  location: ClusterLocation,
  { clock, random }: { readonly clock: Clock; readonly random: Random },
): ClusterAccess {
  const { clusterId, tlsDirectory, metadataPeers } = parseConfig(adminConfigSchema, {
    file: location.config ?? devAdminConfig(location),
  });
  const tls = loadTlsMaterial(tlsDirectory);
  const sources = { clock, random, logger: silentLogger };
  const metadata = createMetadataClient({ peers: metadataPeers, tls, clusterId, ...sources });
  const view = createClusterView({ metadata, ...sources });
  const storage = createStorageInspector(tls, clusterId);
  return {
    metadata,
    view,
    storage,
    metadataPeers,
    map: async (timeoutMs) => {
      const deadlineMs = clock.monotonicMs() + timeoutMs;
      while (view.ageMs() > timeoutMs) {
        if (clock.monotonicMs() >= deadlineMs) return null;
        await view.waitForChange(VIEW_POLL_MS);
      }
      return view.map();
    },
    close: async () => {
      view.close();
      storage.close();
      await metadata.close();
    },
  };
}

/**
 * Runs a command against the cluster and ends the process. A connection attempt to a node that
 * swallows packets cannot be called off, and would keep the process for minutes.
 */
export async function runAgainstCluster(
  location: ClusterLocation,
  sources: { readonly clock: Clock; readonly random: Random },
  command: (cluster: ClusterAccess) => Promise<void>,
): Promise<never> {
  const cluster = openCluster(location, sources);
  try {
    await command(cluster);
  } finally {
    await cluster.close();
  }
  process.exit();
}

/** The settings that `azimuth dev` writes for the command line. */
function devAdminConfig({ data = '.azimuth', region }: ClusterLocation): string {
  const { regions } = readClusterDocument(data);
  const name = region ?? regions[0]?.name ?? '';
  const path = join(data, name, ADMIN_NODE_ID, 'config.json');
  if (!existsSync(path)) throw new StoreError('NOT_FOUND', { region: name, path });
  return path;
}
