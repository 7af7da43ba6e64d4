import { z } from 'zod';

const port = z.coerce.number().int().min(0).max(65535);

/** A metadata node as every other process finds it. */
export const metadataPeerSchema = z.object({
  nodeId: z.string().min(1),
  zone: z.string().min(1),
  host: z.string().min(1),
  port,
});
export type MetadataPeer = z.infer<typeof metadataPeerSchema>;

/** How shard requests are protected; see ARCHITECTURE.md, "Between the nodes". */
export const bulkModeSchema = z.enum(['crc', 'secure', 'insecure-plain']);
export type BulkMode = z.infer<typeof bulkModeSchema>;

/** The settings that every role has; a role's schema extends this shape. */
export const NODE_CONFIG_SHAPE = {
  clusterId: z.string().regex(/^[0-9a-f]{32}$/),
  nodeId: z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/),
  zone: z.string().regex(/^[a-z0-9][a-z0-9-]{0,30}$/),
  /** Address to listen on, and under which the other nodes reach this one. */
  host: z.string().default('127.0.0.1'),
  adminPort: port.default(0),
  /** Directory with ca.pem, node.pem and node-key.pem. A node without an identity does not start. */
  tlsDirectory: z.string().min(1),
  metadataPeers: z.array(metadataPeerSchema).min(1),
  logLevel: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info'),
  bulkMode: bulkModeSchema.default('crc'),
  /** `host:port` of another node -> `host:port` under which this node reaches it. */
  addressMap: z.record(z.string(), z.string().regex(/^.+:\d{1,5}$/)).default({}),
  /** For development clusters: a file that tells this node what to suffer; see `faults.ts`. */
  faultsFile: z.string().min(1).optional(),
};

export { port as portSchema };

/** A running role. `close` drains, stops and releases everything; it is safe to call twice. */
export interface Service {
  close(): Promise<void>;
  /** Reads files again that the configuration names (SIGHUP); absent when a role has none. */
  reload?(): void;
}
