import { NODE_CONFIG_SHAPE } from '@azimuth/common';
import { BLOB_COMMIT_AGE_MAX_MS, ORPHAN_AGE_MIN_MS } from '@azimuth/proto';
import { z } from 'zod';

const durationMs = z.coerce.number().int().min(0);
const HOUR_MS = 3_600_000;

/** Settings of a curator. The ages are safety margins: lower them in tests only. */
export const curatorConfigSchema = z.object({
  ...NODE_CONFIG_SHAPE,
  /** Rest after each piece of work, as a multiple of the time that it took. */
  tranquility: z.coerce.number().min(0).max(100).default(0.25),
  /** Bytes of stripes that are rebuilt or copied at a time. */
  arenaBytes: z.coerce
    .number()
    .int()
    .min(16 * 1024 * 1024)
    .default(64 * 1024 * 1024),
  /** What repair may read and write in the whole cluster; each node has its own limit beside it. */
  repairBytesPerSecond: z.coerce
    .number()
    .int()
    .min(1024 * 1024)
    .default(1024 * 1024 * 1024),
  repairOperationsPerSecond: z.coerce.number().int().min(1).default(2_000),
  garbageGraceMs: durationMs.default(10 * 60_000),
  orphanAgeMinMs: durationMs.default(ORPHAN_AGE_MIN_MS),
  /**
   * Above the age up to which a commit may name a blob: later nothing new can point into a group.
   */
  sealedAgeMinMs: durationMs.default(BLOB_COMMIT_AGE_MAX_MS + HOUR_MS),
  bucketDeletionAgeMinMs: durationMs.default(60_000),
  leavingAgeMinMs: durationMs.default(60_000),
  censusIntervalMs: durationMs.default(HOUR_MS),
});

export type CuratorConfig = Readonly<z.infer<typeof curatorConfigSchema>>;
