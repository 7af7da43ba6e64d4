import { createClusterView, createMetadataClient, createStorageClient } from '@azimuth/clients';
import {
  collectProcessMetrics,
  createLogger,
  openFaults,
  parseConfig,
  steppedClock,
  systemClock,
  systemRandom,
} from '@azimuth/common';
import type { ConfigSources } from '@azimuth/common';
import { loadTlsMaterial } from '@azimuth/rpc';
import { Registry } from 'prom-client';

import { curatorConfigSchema } from './curator-config';
import { startCurator } from './curator-service';
import type { CuratorService } from './curator-service';
import { createStorageControl } from './storage-control';

/**
 * Runs a curator over the network until it is closed.
 *
 * @throws StoreError INVALID_ARGUMENT naming each setting that was refused; the error of a file or
 *   a port that cannot be used.
 */
export async function runCurator(sources: ConfigSources): Promise<CuratorService> {
  const config = parseConfig(curatorConfigSchema, sources);
  const { clusterId, nodeId, zone, bulkMode } = config;
  const tls = loadTlsMaterial(config.tlsDirectory, config.addressMap);
  const logger = createLogger(config.logLevel, { role: 'curator', nodeId, zone });
  const registry = new Registry();
  collectProcessMetrics(registry);
  const faults = openFaults(config, { clock: systemClock, logger });
  const clock = steppedClock(systemClock, faults);
  const common = { clock, random: systemRandom, logger };
  const peers = config.metadataPeers;
  const metadata = createMetadataClient({ ...common, peers, tls, clusterId });
  const view = createClusterView({ ...common, metadata });
  const storage = createStorageClient({ tls, clusterId, bulkMode, clock, logger });
  const control = createStorageControl({ tls, clusterId });
  const closeClients = async (): Promise<void> => {
    view.close();
    control.close();
    faults?.close();
    await storage.close();
    await metadata.close();
  };
  try {
    const parts = { ...common, metadata, view, storage, control, registry };
    const service = await startCurator(config, parts);
    let closing: Promise<void> | null = null;
    return {
      adminPort: service.adminPort,
      close() {
        closing ??= service.close().then(closeClients);
        return closing;
      },
    };
  } catch (error) {
    await closeClients();
    throw error;
  }
}
