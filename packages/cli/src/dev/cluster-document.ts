import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { StoreError } from '@azimuth/common';

/**
 * `DIR/cluster.json`: what a running development cluster says for machines. `processes` holds those
 * that are alive. Readable by the owner only: it has the credentials.
 */
export interface ClusterDocument {
  readonly ready: boolean;
  readonly launcherPid: number;
  readonly regions: readonly RegionDocument[];
}

export interface RegionDocument {
  readonly name: string;
  /** The front door: a TCP proxy that skips dead gateways. */
  readonly endpoint: string;
  /** The same with TLS; absent without HTTPS. */
  readonly httpsEndpoint?: string;
  /** Buckets as websites; absent without. */
  readonly websiteEndpoint?: string;
  readonly gateways: readonly { readonly zone: string; readonly url: string }[];
  /** Started with `--links`, `--faults`: game days can do more. */
  readonly hasLinks: boolean;
  /** Of the links: they can be slowed, not only cut. */
  readonly canDelayLinks: boolean;
  readonly hasFaults: boolean;
  readonly accessKey: string;
  readonly secretKey: string;
  readonly processes: readonly ProcessDocument[];
}

export interface ProcessDocument {
  readonly role: string;
  readonly zone: string;
  readonly pid: number;
  /** Base URL of /metrics, /livez and /readyz. */
  readonly admin: string;
  /** `host:port` where other nodes reach it; absent of roles that nobody dials. */
  readonly rpc?: string;
  readonly node: string;
  readonly state: 'running' | 'frozen';
}

/** One entry of `DIR/prometheus-targets.json`, in the form of Prometheus's file_sd_configs. */
export interface PrometheusTarget {
  readonly targets: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
}

export function clusterDocumentPath(directory: string): string {
  return join(directory, 'cluster.json');
}

/** @throws StoreError NOT_FOUND when no development cluster runs in `directory`. */
export function readClusterDocument(directory: string): ClusterDocument {
  const path = clusterDocumentPath(directory);
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as ClusterDocument;
  } catch (error) {
    throw new StoreError('NOT_FOUND', { path, hint: 'is `azimuth dev` running there?' }, error);
  }
}

/** Replaces a file in one step, so that a reader sees the old or the new one, never half. */
export function writeJsonAtomically(path: string, value: unknown, mode: number): void {
  const temporary = `${path}.${process.pid}.tmp`;
  writeFileSync(temporary, `${JSON.stringify(value, null, 2)}\n`, { mode });
  renameSync(temporary, path);
}
