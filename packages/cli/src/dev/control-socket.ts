import { closeSync, openSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import { join } from 'node:path';

import { isStoreErrorCode, StoreError } from '@azimuth/common';
import type { ErrorDetail, Faults } from '@azimuth/common';

import type { AddableRole } from './dev-layout';
import type { PlacedRule } from './link-rule';

export const CONTROL_ACTIONS = ['kill', 'freeze', 'thaw', 'start'] as const;
export type ControlAction = (typeof CONTROL_ACTIONS)[number];

/** One line of JSON each way over `DIR/control.sock`; only the owner of DIR can reach it. */
export type ControlRequest = {
  /** Null: the first region. */
  readonly region: string | null;
} & (
  | {
      readonly action: ControlAction | 'ping';
      readonly scope: 'zone' | 'node';
      readonly names: readonly string[];
    }
  | { readonly action: 'set-links'; readonly rules: readonly PlacedRule[] }
  | { readonly action: 'heal-links' }
  | { readonly action: 'add-node'; readonly role: AddableRole; readonly zone: string }
  | { readonly action: 'remove-node'; readonly name: string }
  | { readonly action: 'set-faults'; readonly names: readonly string[]; readonly faults: Faults }
);

export type ControlResponse =
  | { readonly ok: true; readonly nodes: readonly string[] }
  | { readonly ok: false; readonly code: string; readonly detail: ErrorDetail };

const LINE_BYTES_MAX = 64 * 1024;
/** `sun_path` of Linux; macOS has 104. */
const SOCKET_PATH_BYTES_MAX = 100;

/**
 * Runs `use` with a path to the socket that the kernel accepts: a long directory is reached through
 * a file descriptor.
 */
async function withSocketPath<T>(directory: string, use: (path: string) => Promise<T>): Promise<T> {
  const path = join(directory, 'control.sock');
  if (Buffer.byteLength(path) <= SOCKET_PATH_BYTES_MAX) return use(path);
  const descriptor = openSync(directory, 'r');
  try {
    return await use(`/proc/self/fd/${descriptor}/control.sock`);
  } finally {
    closeSync(descriptor);
  }
}

/**
 * Listens for control requests; each is answered by `handle`.
 *
 * @throws StoreError ALREADY_EXISTS when another launcher answers there.
 */
export async function openControlSocket(
  directory: string,
  handle: (request: ControlRequest) => Promise<readonly string[]>,
): Promise<{ close(): void }> {
  if (await isLauncherRunning(directory)) {
    throw new StoreError('ALREADY_EXISTS', { directory, hint: 'a cluster runs there already' });
  }
  const server = createServer((socket) => {
    readLine(socket)
      .then(async (line) => {
        const request = JSON.parse(line) as ControlRequest;
        const nodes = request.action === 'ping' ? [] : await handle(request);
        return { ok: true as const, nodes };
      })
      .catch((error: unknown): ControlResponse => {
        const known = error instanceof StoreError ? error : new StoreError('INTERNAL', {}, error);
        return { ok: false, code: known.code, detail: known.detail };
      })
      .then((response: ControlResponse) => socket.end(`${JSON.stringify(response)}\n`))
      .catch(() => socket.destroy());
  });
  await withSocketPath(directory, (path) => {
    rmSync(path, { force: true });
    return listen(server, path);
  });
  return {
    close: () => {
      server.close();
      rmSync(join(directory, 'control.sock'), { force: true });
    },
  };
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, resolve);
  });
}

async function isLauncherRunning(directory: string): Promise<boolean> {
  try {
    await sendControl(directory, { action: 'ping', scope: 'node', names: [], region: null });
    return true;
  } catch {
    return false;
  }
}

/**
 * Asks the launcher of `directory`; resolves with the nodes it acted on.
 *
 * @throws StoreError UNAVAILABLE when no launcher runs there, and what the launcher refuses with.
 */
export function sendControl(
  directory: string,
  request: ControlRequest,
): Promise<readonly string[]> {
  return withSocketPath(directory, async (path) => {
    const socket = connect(path);
    socket.on('error', () => undefined);
    let line: string;
    try {
      await new Promise<void>((resolve, reject) => {
        socket.once('connect', resolve);
        socket.once('error', reject);
      });
      socket.write(`${JSON.stringify(request)}\n`);
      line = await readLine(socket);
    } catch (error) {
      throw new StoreError('UNAVAILABLE', { directory, hint: 'no cluster runs there' }, error);
    } finally {
      socket.destroy();
    }
    const response = JSON.parse(line) as ControlResponse;
    if (response.ok) return response.nodes;
    const code = isStoreErrorCode(response.code) ? response.code : 'INTERNAL';
    throw new StoreError(code, response.detail);
  });
}

function readLine(socket: Socket): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    socket.setEncoding('utf8');
    socket.on('data', (chunk: string) => {
      text += chunk;
      const end = text.indexOf('\n');
      if (end >= 0) resolve(text.slice(0, end));
      else if (text.length > LINE_BYTES_MAX) reject(new StoreError('INVALID_ARGUMENT'));
    });
    socket.once('error', reject);
    socket.once('close', () => reject(new StoreError('UNAVAILABLE')));
  });
}
