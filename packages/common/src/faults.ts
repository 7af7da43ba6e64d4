import { readFileSync } from 'node:fs';
import { z } from 'zod';

import type { Clock } from './clock';
import type { Logger } from './logger';
import { StoreError } from './store-error';

const faultsSchema = z.object({
  /** Every access to a disk takes this much longer. */
  diskDelayMs: z.number().min(0).max(60_000).default(0),
  /** Nothing more can be written: ENOSPC. */
  isDiskFull: z.boolean().default(false),
  /** Accesses of these kinds fail with EIO. */
  diskErrors: z.enum(['none', 'read', 'write', 'all']).default('none'),
  /** How far the wall clock is off. */
  wallOffsetMs: z.number().int().default(0),
});

/** What a process of a development cluster suffers, so that a game day can see what comes of it. */
export type Faults = z.infer<typeof faultsSchema>;

export const NO_FAULTS: Faults = faultsSchema.parse({});

const POLL_INTERVAL_MS = 250;
/**
 * Loopback, and the networks for tests of RFC 2544, 198.18.0.0/15, which development clusters use
 * between network namespaces: no cluster that serves others has these addresses.
 */
const HARMLESS_HOST = /^(127\.0\.0\.1|198\.1[89]\.\d{1,3}\.\d{1,3})$/;

/** The faults of this process at any moment. */
export interface FaultSource {
  current(): Faults;
  close(): void;
}

/**
 * Follows the file that tells a process what to suffer; no file, no faults.
 *
 * @throws StoreError INVALID_ARGUMENT on any other address than loopback and those for tests: no
 *   cluster that serves others can be told to suffer, whatever its configuration says.
 */
export function openFaults(
  config: { readonly faultsFile?: string | undefined; readonly host: string },
  { clock, logger }: { readonly clock: Clock; readonly logger: Logger },
): FaultSource | null {
  const { faultsFile, host } = config;
  if (faultsFile === undefined) return null;
  if (!HARMLESS_HOST.test(host)) {
    throw new StoreError('INVALID_ARGUMENT', { faultsFile, hint: 'only nodes on loopback' });
  }
  logger.warn({ faultsFile }, 'this node fails when it is told to: for development clusters only');
  let text = '';
  let faults = NO_FAULTS;
  let cancel: () => void = () => undefined;
  const poll = (): void => {
    const found = readText(faultsFile);
    if (found !== text) {
      text = found;
      faults = parseFaults(found, logger);
      logger.warn({ ...faults }, 'faults changed');
    }
    cancel = clock.schedule(POLL_INTERVAL_MS, poll);
  };
  poll();
  return { current: () => faults, close: () => cancel() };
}

/** A clock whose wall time is off by what the faults say; without faults the clock itself. */
export function steppedClock(clock: Clock, faults: FaultSource | null): Clock {
  if (faults === null) return clock;
  return { ...clock, wallMs: () => clock.wallMs() + faults.current().wallOffsetMs };
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function parseFaults(text: string, logger: Logger): Faults {
  if (text === '') return NO_FAULTS;
  try {
    return faultsSchema.parse(JSON.parse(text));
  } catch (error) {
    logger.error({ error }, 'faults refused');
    return NO_FAULTS;
  }
}
