import { readFileSync } from 'node:fs';
import type { z } from 'zod';

import { StoreError } from './store-error';

/** Where configuration may come from, highest priority first. Keys are the schema's camelCase names. */
export interface ConfigSources {
  readonly flags?: Readonly<Record<string, unknown>>;
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** A JSON file; a missing one is an error. */
  readonly file?: string | undefined;
}

/** `diskPaths` → `AZIMUTH_DISK_PATHS`. */
export function environmentName(key: string): string {
  return `AZIMUTH_${key.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
}

/**
 * Merges flag > environment > file > default, validates once, and freezes the result.
 *
 * @throws StoreError INVALID_ARGUMENT naming every value that was refused, never its content: it
 *   may be a secret.
 */
export function parseConfig<Shape extends z.ZodRawShape>(
  schema: z.ZodObject<Shape>,
  sources: ConfigSources,
): Readonly<z.infer<z.ZodObject<Shape>>> {
  const merged: Record<string, unknown> = {};
  if (sources.file !== undefined) {
    Object.assign(merged, JSON.parse(readFileSync(sources.file, 'utf8')));
  }
  for (const key of Object.keys(schema.shape)) {
    const fromEnv = sources.env?.[environmentName(key)];
    if (fromEnv !== undefined) merged[key] = fromEnv;
    const fromFlag = sources.flags?.[key];
    if (fromFlag !== undefined) merged[key] = fromFlag;
  }
  const result = schema.safeParse(merged);
  if (result.success) return Object.freeze(result.data);
  const refused = result.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
  throw new StoreError('INVALID_ARGUMENT', { configuration: refused.join('; ') });
}
