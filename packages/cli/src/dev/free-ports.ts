import { createServer } from 'node:net';

import { StoreError } from '@azimuth/common';
import type { Random } from '@azimuth/common';

/** Below the ephemeral range of Linux, so that no outgoing connection takes a port before we do. */
const PORT_MIN = 10_000;
const PORT_LIMIT = 32_000;

/**
 * `count` distinct ports of `host` on which nobody listens now, none of `reserved`. Tried from a
 * random place, so that clusters started at the same time rarely meet.
 *
 * @throws StoreError OVERLOADED when there are not so many.
 */
export async function findFreePorts(
  count: number,
  options: {
    readonly host: string;
    readonly reserved: ReadonlySet<number>;
    readonly random: Random;
  },
): Promise<number[]> {
  const ports: number[] = [];
  const span = PORT_LIMIT - PORT_MIN;
  const offset = options.random.below(span);
  for (let tried = 0; tried < span && ports.length < count; tried += 1) {
    const port = PORT_MIN + ((offset + tried) % span);
    if (!options.reserved.has(port) && (await isPortFree(options.host, port))) ports.push(port);
  }
  if (ports.length < count) throw new StoreError('OVERLOADED', { freePorts: ports.length, count });
  return ports;
}

export function isPortFree(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, host, () => server.close(() => resolve(true)));
  });
}
