import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';

import type { Registry } from 'prom-client';

/** What a process answers on its admin port. */
export interface AdminEndpoints {
  readonly registry: Registry;
  /** True while the process itself works; false asks the supervisor to restart it. */
  isLive(): boolean;
  /** True while the process can serve; false takes it out of load balancing. */
  isReady(): boolean;
  /** Extra read-only documents by path, as JSON. */
  readonly documents?: Readonly<Record<string, () => unknown>>;
}

/** Serves `/metrics`, `/livez`, `/readyz` on `host:port`; port 0 picks a free one. */
export async function startAdminServer(
  endpoints: AdminEndpoints,
  listen: { readonly host: string; readonly port: number },
): Promise<{ readonly port: number; close(): Promise<void> }> {
  const server = createServer((request, response) => {
    const path = request.url?.split('?')[0] ?? '/';
    const document = endpoints.documents?.[path];
    if (request.method !== 'GET') {
      response.writeHead(405).end();
    } else if (path === '/metrics') {
      endpoints.registry.metrics().then(
        (text) => {
          response.writeHead(200, { 'content-type': endpoints.registry.contentType }).end(text);
        },
        () => response.writeHead(500).end(),
      );
    } else if (path === '/livez' || path === '/readyz') {
      const isOk = path === '/livez' ? endpoints.isLive() : endpoints.isReady();
      response.writeHead(isOk ? 200 : 503, { 'content-type': 'text/plain' });
      response.end(isOk ? 'ok\n' : 'unavailable\n');
    } else if (document !== undefined) {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(JSON.stringify(document()));
    } else {
      response.writeHead(404).end();
    }
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(listen.port, listen.host, resolve);
  });
  return { port: (server.address() as AddressInfo).port, close: () => closeServer(server) };
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
