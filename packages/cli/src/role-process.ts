import { setFlagsFromString } from 'node:v8';

import { required, StoreError } from '@azimuth/common';
import type { ConfigSources, Service } from '@azimuth/common';

/** The roles that a process can have. */
export const SERVICE_ROLES = ['gateway', 'metadata', 'storage', 'curator'] as const;
export type ServiceRole = (typeof SERVICE_ROLES)[number];

const CLOSE_TIMEOUT_MS = 10_000;
/**
 * How far a heap may grow before V8 marks all of it again, in percent of what it held. V8 finds the
 * factor by how fast objects are allocated, and does not see buffers in that; but it counts them
 * against the limit, so a metadata node that turns over some 50 KiB of them for each small object
 * was marked twice a second. This is the greatest factor that V8 takes by itself.
 */
const HEAP_GROWING_PERCENT = 300;

type RunRole = (sources: ConfigSources) => Promise<Service>;

/** Loads only the package of the role: a process pays for what it does. */
async function startRole(role: ServiceRole, sources: ConfigSources): Promise<Service> {
  const [exports, name] = await loadRole(role);
  const run = (exports as Readonly<Record<string, RunRole | undefined>>)[name];
  return required(run, name)(sources);
}

async function loadRole(role: ServiceRole): Promise<[unknown, string]> {
  switch (role) {
    case 'gateway':
      return [await import('@azimuth/gateway'), 'runGateway'];
    case 'metadata':
      return [await import('@azimuth/metadata-raft'), 'runMetadata'];
    case 'storage':
      return [await import('@azimuth/storage-node'), 'runStorage'];
    case 'curator':
      return [await import('@azimuth/curator'), 'runCurator'];
  }
}

export interface RoleProcessOptions {
  readonly role: ServiceRole;
  readonly configFile: string;
  /** Settings of the command line. */
  readonly flags: Readonly<Record<string, unknown>>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Close when standard input ends: whoever started us is gone. Ctrl-C is then left to them. */
  readonly exitWithParent: boolean;
  readonly schedule: (delayMs: number, callback: () => void) => () => void;
}

/**
 * Runs a role until SIGTERM or SIGINT, then closes it and ends the process. A failure that nobody
 * handled ends it at once with code 1: state that may be wrong must not acknowledge anything.
 */
export async function runRoleProcess(options: RoleProcessOptions): Promise<void> {
  setFlagsFromString(`--heap-growing-percent=${HEAP_GROWING_PERCENT}`);
  process.on('unhandledRejection', (error) => crash('unhandled rejection', error));
  process.on('uncaughtException', (error) => crash('uncaught exception', error));
  let service: Service | null = null;
  let isClosing = false;
  const close = (why: string): void => {
    if (isClosing) return;
    isClosing = true;
    log('info', { why }, 'closing');
    options.schedule(CLOSE_TIMEOUT_MS, () => crash('close timed out', new StoreError('TIMEOUT')));
    (service?.close() ?? Promise.resolve()).then(
      () => process.exit(0),
      (error: unknown) => crash('close failed', error),
    );
  };
  process.on('SIGTERM', () => close('SIGTERM'));
  process.on('SIGINT', () => {
    if (!options.exitWithParent) close('SIGINT');
  });
  // Its default would end the process; a role without files to read again just goes on.
  process.on('SIGHUP', () => service?.reload?.());
  if (options.exitWithParent) {
    process.stdin.on('error', () => close('parent is gone'));
    process.stdin.on('end', () => close('parent is gone'));
    process.stdin.resume();
  }
  try {
    const { flags, env, configFile } = options;
    service = await startRole(options.role, { flags, env, file: configFile });
  } catch (error) {
    crash('start failed', error);
  }
}

function crash(what: string, error: unknown): never {
  const { message, stack } = error instanceof Error ? error : new Error(String(error));
  const code = error instanceof StoreError ? error.code : undefined;
  log('fatal', { code, error: message, stack }, what);
  process.exit(1);
}

/** Before and after a role has its own logger. Synchronous, so that the last words are not lost. */
function log(level: string, fields: Readonly<Record<string, unknown>>, msg: string): void {
  process.stdout.write(
    `${JSON.stringify({ level, time: new Date().toISOString(), pid: process.pid, ...fields, msg })}\n`,
  );
}
